import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { type FreshDatabase, freshDatabase } from '@tripline/testing/postgres/postgres';
import { addToTrail, makeTrailDays } from '@tripline/trail/trail';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { main } from './main.ts';

let database: FreshDatabase;
let folder: string;
const id = (n: number) => `${n === 1 ? 'a' : 'b'}${'0'.repeat(62)}${n}`;
const nowMs = Date.now();
const hourMs = 3_600_000;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-looking-'));
  database = await freshDatabase();
  const { pool, query } = database.db;
  for (const n of [1, 2]) {
    await pool.query(
      `INSERT INTO incidents (id, workspace, severity, title, state, updated_at, acknowledged_at, acknowledged_by)
       VALUES ($1, 'acme', 'high', $2, 'acknowledged', $3, now(), '{"via":"slack","id":"U1","name":"Ada"}')`,
      [`INC-${n}`, `incident ${n} ${'about a long story '.repeat(10)}`, new Date(nowMs - n * 24 * hourMs)],
    );
  }
  for (const n of [1, 2, 3]) {
    await query
      .insertInto('findings')
      .values({
        ...{ id: id(n), incident: n === 3 ? null : 'INC-1', silenced_by: n === 3 ? 'until the move is over' : null },
        ...{ rule: 'some-rule', workspace: 'acme', subject: 'acme/app', occasion: `run ${n}` },
        ...{
          severity: 'critical',
          confidence: 'high',
          title: `finding ${n}\u001b[2J ${'of a long title '.repeat(12)}`,
        },
        ...{ summary: 'What happened, and why it is wrong.', deciding_event: 'github:e1' },
        occurred_at: new Date('2026-11-23T10:00:00Z'),
        detected_at: new Date('2026-11-23T10:00:01Z'),
        recorded_at: new Date(nowMs - n * 24 * hourMs),
        evidence: JSON.stringify([
          {
            ...{ eventId: 'github:e1', eventType: 'dev.cdevents.pipelinerun.started' },
            ...{ time: '2026-11-23T10:00:00Z', what: 'It ran.', url: 'https://x/1' },
          },
        ]),
        entities: JSON.stringify([{ kind: 'user', id: 'ada', key: 'github:github.com:user:41' }]),
        response: JSON.stringify([
          { action: 'stop-run', provider: 'github', instance: 'github.com', repository: 'acme/app', runId: '7' },
          {
            action: 'revoke-credential',
            provider: 'github',
            instance: 'github.com',
            credential: 'deploy-key',
            repository: 'acme/app',
            credentialId: '9',
          },
        ]),
        remedy: JSON.stringify(['Look at it.']),
        silence: 'silences:\n  - rule: some-rule\n    subject: acme/app',
        ...{ attack: ['T1195'], attack_version: '19', owasp: ['CICD-SEC-4'] },
        withdrawn_at: n === 2 ? new Date('2026-11-23T12:00:00Z') : null,
        withdrawn_reason: n === 2 ? 'reviewed after all' : null,
      })
      .execute();
  }
  await pool.query(
    `INSERT INTO remediations (finding, ordinal, workspace, action, code, target, mode, request, state, verdict, said, settled_at)
     VALUES ($1, 0, 'acme', 'stop-run', 'A1', $2, 'dry-run', '{"method":"POST","path":"/x"}', 'refused', 'dry-run', 'would stop the run', '2026-11-23T10:00:02Z')`,
    [
      id(1),
      JSON.stringify({
        action: 'stop-run',
        provider: 'github',
        instance: 'github.com',
        repository: 'acme/app',
        runId: '7',
      }),
    ],
  );
  const records = ['Mona', 'eve\u001b[31m'].map((actor, offset) => ({
    ...{
      topic: 'tripline.events',
      partition: 0,
      offset,
      appendedAtMs: nowMs - 1000 + offset,
      key: 'acme',
      fault: null,
    },
    headers: { ce_type: 'dev.cdeventsx.tripline-grant.added', ce_id: `github:${offset}`, ce_workspace: 'acme' },
    value: Buffer.from(JSON.stringify({ 'user.name': actor, 'vcs.repository.name': 'acme/app' })),
  }));
  await makeTrailDays(pool, records, new Set());
  const client = await pool.connect();
  await addToTrail(client, null, records);
  client.release();
});
afterAll(async () => {
  await database?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function tripline(args: string[], terminal?: { columns: number }) {
  const said = { out: '', err: '' };
  const into = (stream: 'out' | 'err') => (text: string) => {
    said[stream] += text;
  };
  const status = await main(args, {
    ...{ out: into('out'), err: into('err') },
    ...{ stdin: Readable.from(['']), env: { DATABASE_URL: database.urlAs('cli') }, cwd: folder },
    ...{ isTerminal: terminal !== undefined, columns: terminal?.columns },
  });
  return { status, ...said };
}
const lines = (text: string) => text.split('\n').filter((line) => line !== '');
const json = (text: string) => lines(text).map((line) => JSON.parse(line));

describe('events', () => {
  test('newest first, by who, as JSON or for people', async () => {
    const { out } = await tripline(['events']);
    expect(lines(out)[0]).toMatch(/^\S+ \S+ {2}kept +grant\.added +eve +acme\/app {2}github:1$/);
    expect(lines(out)).toHaveLength(2);
    expect(out).not.toContain('\u001b');
    expect(json((await tripline(['events', '--json', '--actor', 'mona'])).out)).toMatchObject([
      { state: 'kept', count: 1, id: 'github:0', actor: 'Mona', repository: 'acme/app', data: { 'user.name': 'Mona' } },
    ]);
    expect((await tripline(['events', '--type', 'push'])).out).toBe('Nothing was received.\n');
    expect((await tripline(['events', '--since', '1d', '--repository', 'app', '--limit', '1'])).out).toContain(
      'github:1',
    );
    expect((await tripline(['events', '--since', new Date(nowMs + hourMs).toISOString()])).out).toBe(
      'Nothing was received.\n',
    );
  });

  test.each(['yesterday', '7', '1w', '2026-13-01', '2026-03-02T25:00:00Z'])(
    '--since %s is wrong usage',
    async (since) => {
      for (const verb of ['events', 'findings', 'incidents']) {
        expect(await tripline([verb, '--since', since])).toMatchObject({
          status: 2,
          err: expect.stringContaining('--since'),
        });
      }
    },
  );
});

describe('on a terminal', () => {
  test.each([40, 80, 120])(
    'of %i columns, no line of a list is longer, and the state stands before the title',
    async (columns) => {
      for (const args of [['events'], ['findings'], ['incidents']]) {
        const { out } = await tripline(args, { columns });
        for (const line of lines(stripVTControlCharacters(out))) expect([...line].length).toBeLessThanOrEqual(columns);
      }
      expect(stripVTControlCharacters((await tripline(['findings'], { columns })).out)).toMatch(
        /^critical {2}standing {4}find/,
      );
    },
  );

  test('and whole in a pipe', async () => {
    expect((await tripline(['findings'])).out).toContain('of a long title '.repeat(12).trim());
    expect((await tripline(['incidents'])).out).toMatch(/acknowledged by Ada \(slack\) {2}incident 1 .+ {2}acme\n/);
  });
});

describe('findings and incidents', () => {
  test('since a time', async () => {
    const occasions = async (since: string) =>
      json((await tripline(['findings', '--json', '--since', since])).out).map(({ occasion }) => occasion);
    expect(await occasions('36h')).toEqual(['run 1']);
    expect(await occasions('4d')).toEqual(['run 1', 'run 2', 'run 3']);
    expect(json((await tripline(['incidents', '--json', '--since', '36h'])).out)).toMatchObject([{ id: 'INC-1' }]);
  });

  test('show tells all of one, by the first characters of its id', async () => {
    const { out } = await tripline(['findings', 'show', 'a000']);
    for (const said of [
      /^critical {2}standing {2}finding 1/,
      'What happened, and why it is wrong.',
      id(1),
      'incident    INC-1',
      '2026-11-23 10:00:00  It ran.\n    https://x/1\n    event github:e1 (dev.cdevents.pipelinerun.started)',
      'user        ada (github:github.com:user:41)',
      'stop the run: instance github.com, provider github, repository acme/app, runId 7\n    only shown, in a dry run; 2026-11-23 10:00:02 UTC; would stop the run',
      'revoke the deploy key: credential deploy-key, credentialId 9, instance github.com, provider github,',
      'repository acme/app\n    not planned',
      '→ Look at it.',
      "npx tripline silence add --rule=some-rule --subject='acme/app' --workspace='acme' --critical --for=30d --reason='",
      '  silences:\n    - rule: some-rule\n      subject: acme/app\n',
      '  exceptions:\n    - rules: [some-rule]\n      when:\n        user: ["ada:41"]\n      workspace: "acme"\n',
    ]) {
      expect(out).toEqual(typeof said === 'string' ? expect.stringContaining(said) : expect.stringMatching(said));
    }
    expect(out).not.toContain('\u001b');
    const [whole] = json((await tripline(['findings', 'show', id(1), '--json'])).out);
    expect(whole).toMatchObject({ id: id(1), steps: [{ ordinal: 0, verdict: 'dry-run' }] });
    expect((await tripline(['findings', 'show', id(2)])).out).toContain('reviewed after all');
  });

  test('whose delivery nobody has vouched for, or whose end nobody could prove, stand in the list as that', async () => {
    const state = async (set: string) => {
      await database.db.pool.query(`UPDATE findings SET ${set} WHERE id = $1`, [id(1)]);
      return /^(?:critical|low) +(\w+)/.exec((await tripline(['findings'])).out)?.[1];
    };
    expect(await state('unproven = true')).toBe('unproven');
    expect(await state(`severity = 'low', lowered_at = now(), lowered_reason = 'nobody could be asked'`)).toBe(
      'lowered',
    );
    expect(await state("severity = 'critical', unproven = false, lowered_at = NULL, lowered_reason = NULL")).toBe(
      'standing',
    );
  });

  test.each([
    ['b000', 'more than one finding begins with b000'],
    ['ffff', 'there is no finding ffff'],
    ['%', 'there is no finding %'],
  ])('show %s says what is wrong', async (prefix, sentence) => {
    const { status, err } = await tripline(['findings', 'show', prefix]);
    expect(err).toContain(sentence);
    expect(status).toBe(1);
  });
});
