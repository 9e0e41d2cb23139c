import type { AnyRule } from '@tripline/contracts/rule';
import type { Db } from '@tripline/db/database';
import { FencedError } from '@tripline/db/positions';
import { configureRule } from '@tripline/engine/settings';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { clockByHand, detectorByHand, failing, whatStands } from '@tripline/testing/services/detector';
import { toRecords } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { minuteMs, someEvents, startMs, rules as syntheticRules } from '../../test/detector.rules.ts';
import type { RuleSet } from './load-rules.ts';

const log = toRecords({ events: someEvents(16) });
const untilMs = startMs + 60 * minuteMs;

/** A set by hand: version, and the rules that judge. */
function setOf(version: string, rules: readonly AnyRule[], more: Partial<RuleSet> = {}): RuleSet {
  const nothing = {
    silences: [],
    exceptions: [],
    overrides: [],
    own: { rules: [], files: [] },
    sigma: { rules: [], refused: [], files: [] },
  };
  return { ...nothing, version, judges: version, rules: rules.map((rule) => configureRule(rule)), ...more };
}
const all: readonly AnyRule[] = syntheticRules;
/** Without the first, whose timers are set then, and with another setting of the second. */
const others = setOf('others', all.slice(1));
const silenced = setOf('silenced', all, {
  silences: [{ subject: '*', until: '2030-01-01T00:00:00Z', reason: 'known', critical: true } as never],
});

describe('rules that change while a partition is judged', () => {
  let db: Db;
  forEachTest((fresh) => {
    db = fresh.as('detector');
  });

  const uses = async (of: Db) =>
    (await of.pool.query('SELECT next::int, version FROM rule_set_uses ORDER BY use')).rows.map(
      ({ next, version }) => `${version} from ${next}`,
    );

  /** Plays up to `change` by one set of rules and goes on by the other, as a restart does it. */
  async function restarted(of: Db, change: number, next: RuleSet) {
    const before = await detectorByHand(of, { rules: all });
    await before.assign();
    await before.batch(log.slice(0, change));
    const after = await detectorByHand(of, { rules: [], ruleSet: next });
    expect(await after.assign()).toBe(change);
    await after.batch(log.slice(change));
    await after.batch([], untilMs);
    return whatStands(of);
  }

  test.each([4, 11])('judge from the next batch on as after a restart: %i', async (change) => {
    for (const next of [others, silenced]) {
      for (const gatherMs of [0, 100]) {
        const other = await freshDatabase();
        const expected = await restarted(other.db, change, next);
        await other.close();
        const own = await freshDatabase();
        const by = await detectorByHand(own.db, { rules: all, gatherMs, clock: clockByHand(startMs).clock });
        await by.assign();
        for (let at = 0; at < change; at += 1) await by.batch(log.slice(at, at + 1));
        await by.use(next);
        await by.batch(log.slice(change));
        await by.batch([], untilMs);
        expect(await whatStands(own.db)).toEqual(expected);
        expect(await uses(own.db)).toEqual(['by-hand from 0', `${next.version} from ${change}`]);
        await own.close();
      }
    }
  });

  test('whichever query fails meanwhile, and whether or not its answer is lost', async () => {
    const other = await freshDatabase();
    const expected = await restarted(other.db, 8, others);
    await other.close();
    for (const answerLost of [false, true]) {
      let n = 0;
      for (let failed = true; failed; ) {
        n += 1;
        const own = await freshDatabase();
        const sound = await detectorByHand(own.db, { rules: all });
        await sound.assign();
        await sound.batch(log.slice(0, 4));
        const later = laterFailing(own.db);
        const by = await detectorByHand(later.db, { rules: all, gatherMs: 100, clock: clockByHand(startMs).clock });
        await by.assign();
        await by.batch(log.slice(4, 8));
        later.arm(n, answerLost);
        await by.use(others);
        failed = later.hasFailed();
        const goOn = async () => {
          await by.batch(log.slice(8));
          await by.batch([], untilMs);
        };
        await goOn().catch(async (error) => {
          expect(error).toBeInstanceOf(Error);
          // Read anew from where Postgres stands, as a stream does it.
          const next = await by.assign();
          if (next < 8) await by.batch(log.slice(next, 8));
          await goOn();
        });
        // What failed before the change was recorded is judged by the new rules alone.
        const stood = (await uses(own.db)).at(-1);
        if (stood === 'others from 8') expect(await whatStands(own.db), `query ${n}`).toEqual(expected);
        else expect(stood).toBe('others from 4');
        await own.close();
        if (n > 40) throw new Error('it never gets through');
      }
      expect(n).toBeGreaterThan(4);
    }
  }, 180_000);

  test('a partition that is being taken meanwhile comes to the new ones, and who lost it writes nothing', async () => {
    const first = await detectorByHand(db, { rules: all });
    await first.assign();
    await first.batch(log.slice(0, 4));
    const second = await detectorByHand(db, { rules: all });
    const [next] = await Promise.all([second.assign(), second.use(others)]);
    await first.use(silenced);
    await expect(first.batch(log.slice(4))).rejects.toThrow(FencedError);
    await second.batch(log.slice(next as number));
    expect((await uses(db)).at(-1)).toBe('others from 4');
    expect((await uses(db)).some((use) => use.startsWith('silenced'))).toBe(false);
    expect(next).toBe(4);
  });

  test('what may not page is kept with what is found from then on', async () => {
    const by = await detectorByHand(db, { rules: all });
    await by.assign();
    await by.batch(log.slice(0, 8));
    const overrides = all.map(({ id }) => ({ rule: id, workspace: 'acme', page: false }));
    await by.use({ ...by.ruleSet, version: 'quiet', overrides: [...overrides, { rule: all[0]!.id, page: true }] });
    const before = (await db.pool.query('SELECT id FROM findings WHERE NOT pages')).rows;
    await by.batch(log.slice(8));
    const { rows } = await db.pool.query('SELECT count(*)::int AS quiet FROM findings WHERE NOT pages');
    expect([before, rows[0].quiet > 0]).toEqual([[], true]);
  });

  test('the same rules with other silences leave what is in memory as it is', async () => {
    const by = await detectorByHand(db, { rules: all });
    await by.assign();
    await by.batch(log.slice(0, 8));
    const found = async () =>
      (await db.pool.query('SELECT id, silenced_by IS NOT NULL AS silenced FROM findings ORDER BY id')).rows;
    const before = await found();
    const { ruleSet } = by;
    await by.use({ ...ruleSet, version: 'silenced', silences: silenced.silences });
    await by.batch(log.slice(8));
    const after = await found();
    expect(before.map(({ silenced: is }) => is)).toEqual(before.map(() => false));
    const later = after.filter(({ id }) => !before.some((one) => one.id === id));
    expect(later.map(({ silenced: is }) => is)).toEqual(later.map(() => true));
    expect([before.length > 0, later.length > 0]).toEqual([true, true]);
  });
});

/** A database of which the `n`-th query fails from the moment on that it is armed. */
function laterFailing(db: Db) {
  let broken: ReturnType<typeof failing> | undefined;
  const pool = new Proxy(db.pool, {
    get: (target, name) => Reflect.get((broken?.db.pool ?? target) as object, name),
  });
  return {
    db: { ...db, pool },
    arm: (n: number, answerLost: boolean) => {
      broken = failing(db, n, answerLost);
    },
    hasFailed: () => broken!.hasFailed(),
  };
}
