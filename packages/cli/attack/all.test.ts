import type { Scenario } from '@tripline/scenarios/scenario';
import { describe, expect, test } from 'vitest';
import type { Io } from '../command.ts';
import { type Played, playAll, rowsOf } from './all.ts';
import { conclusion, table } from './all-table.ts';
import type { DrillVerdict } from './play.ts';

const step = { name: 'push', says: 'it was pushed', atMs: 5, source: 'github', event: 'push', body: {} } as const;
const scenario = (id: string, number?: number): Scenario => ({
  ...{ id, title: id, narrative: '', provenance: 'reconstructed', sources: [] },
  ...(number !== undefined && { breach: { number, name: `breach ${number}`, date: '2024-03' } }),
  baseline: () => ({}),
  attack: () => [step],
  benign: () => [],
  expects: [{ rule: 'a-rule', decidingStep: 'push', responses: [] }],
});
const held: DrillVerdict = {
  ...{ faults: [], alsoFound: [] },
  timings: [{ rule: 'a-rule', decidingStep: 'push', foundMs: 12, notifiedMs: 20, respondedMs: 1500 }],
};
const quiet: DrillVerdict = { faults: [], alsoFound: [], timings: [] };
const io = (columns?: number): Io => ({
  ...{ out: () => {}, err: () => {}, stdin: process.stdin, env: {}, cwd: '/', isTerminal: false, columns },
});

describe('playing all', () => {
  test('plays each scenario and its twin once, so many at a time, each in a workspace of its own', async () => {
    let [now, most] = [0, 0];
    const workspaces = new Set<string>();
    const told: number[] = [];
    const played = await playAll(
      ['a', 'b', 'c'].map((id) => scenario(id)),
      {
        atOnce: 2,
        onPlayed: (done) => told.push(done),
        async playOne(_, { benign, cast }) {
          workspaces.add(cast.organization);
          now += 1;
          most = Math.max(most, now);
          await new Promise(setImmediate);
          now -= 1;
          return benign ? quiet : held;
        },
      },
    );
    expect(most).toBe(2);
    expect(workspaces.size).toBe(6);
    expect(told).toEqual([1, 2, 3, 4, 5, 6]);
    expect(played.map(({ scenario: { id }, attack, twin }) => [id, attack, twin])).toEqual(
      ['a', 'b', 'c'].map((id) => [id, held, quiet]),
    );
  });

  test('ends with the first failure, after those on their way and without another', async () => {
    const begun: string[] = [];
    const playing = playAll(
      ['a', 'b', 'c'].map((id) => scenario(id)),
      {
        atOnce: 2,
        onPlayed: () => {},
        async playOne({ id }, { benign }) {
          begun.push(`${id} ${benign}`);
          await new Promise(setImmediate);
          if (!benign) throw new Error('nobody listens');
          return quiet;
        },
      },
    );
    await expect(playing).rejects.toThrow('nobody listens');
    expect(begun).toEqual(['a false', 'a true']);
  });
});

describe('the table', () => {
  const played = (id: string, number: number | undefined, more: Partial<Played> = {}): Played => ({
    ...{ scenario: scenario(id, number), attack: held, twin: quiet },
    ...more,
  });

  test('has the breaches by their numbers, and those that stand for none last', () => {
    const rows = rowsOf([played('b', undefined), played('later', 12), played('a', undefined), played('former', 3)]);
    expect(rows.map(({ scenario: id }) => id)).toEqual(['former', 'later', 'a', 'b']);
    expect(rows[0]).toEqual({
      ...{ scenario: 'former', breach: { number: 3, name: 'breach 3', date: '2024-03' } },
      ...{ decidingStep: 'push', event: 'push', says: 'it was pushed', rule: 'a-rule', further: 0 },
      ...{ foundMs: 12, respondedMs: 1500, isTwinQuiet: true, faults: [], alsoFound: [] },
    });
    expect(table(rows.slice(0, 1), io())).toBe(
      [
        '#   breach    began    found  response  twin\n',
        '3   breach 3  2024-03  12 ms  1.5 s     quiet\n',
        '    a-rule, at push: it was pushed\n',
      ].join(''),
    );
  });

  test('says what did not hold beneath its row, and in the end which', () => {
    const missed = { ...quiet, faults: ['a-rule was expected and not found at push'] };
    const loud = { ...quiet, faults: ['a-rule on s was found, and nothing may be'] };
    const rows = rowsOf([played('missed', 3, { attack: missed }), played('loud', 4, { twin: loud }), played('ok', 5)]);
    const shown = table(rows, io(80));
    expect(shown).toMatch(/^3 {3}breach 3 {2}2024-03 {2}NOT +– +quiet$/m);
    expect(shown).toContain('    ✗ a-rule was expected and not found at push\n');
    expect(shown).toMatch(/^4 .* FOUND$/m);
    expect(shown).toContain('    ✗ in its twin, a-rule on s was found, and nothing may be\n');
    expect(Math.max(...shown.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    const waiting = { number: 1, name: 'another', date: '2020-01', waitsFor: 'a feed' };
    const said = conclusion(rows, [waiting], 1000, io(80));
    expect(said).toContain('✗ 2 did not hold: missed, loud\n');
    expect(said).toContain('1   another (2020-01): a feed\n');
    expect(conclusion(rows.slice(2), [], 1000, io(80))).toContain('All was found');
  });
});
