import type { LoggedEvent } from '@tripline/contracts/event';
import { resolve } from '@tripline/incidents/incidents';
import { rule } from '@tripline/rules/credential-new-runner';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { eventsOf } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordFindings } from '../../test/faults/recorded-findings.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

/** A job on a new runner of one's own, `day` days after the start, after an inventory without it. */
const work = (day: number, environment: string) =>
  eventsOf(`
    day ${day}  09:00  ada  starts run ${day} of deploy in acme/app at main1
    day ${day}  09:01  ada  starts job deploy of run ${day} (on build-2; to ${environment})`).map((event) => ({
    ...event,
    id: `day-${day}-${event.id}`,
  }));
const inventory = at(Date.parse('2026-03-11T08:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
  ...{ 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1 },
});
const untilMs = Date.parse('2026-03-14T00:00:00Z');

test.each([
  ['accepted', 1],
  ['false', 2],
] as const)(
  'an incident that a person resolves as %s leaves an act, by which its runner is known or not',
  async (as, contexts) => {
    const [finding] = playTimeline({ rules: [rule], events: [inventory, ...work(1, 'production')], untilMs }).findings;
    await recordFindings(database.db, [finding!]);
    const { rows } = await database.db.pool.query<{ incident: string }>('SELECT incident FROM findings WHERE id = $1', [
      finding!.id,
    ]);
    const by = { via: 'slack', id: 'U1', name: 'ada', proof: 'slack-user:U1 linked to ada' } as const;
    await resolve(database.as('notifier'), rows[0]!.incident, as, by, 'bought on Monday');
    const left = await database.db.pool.query<{ data: LoggedEvent<'dev.cdeventsx.tripline-act.performed'>['data'] }>(
      'DELETE FROM outbox RETURNING data',
    );
    await database.db.pool.query('TRUNCATE findings, incidents CASCADE');

    const act = at(Date.parse('2026-03-11T12:00:00Z'), 'dev.cdeventsx.tripline-act.performed', left.rows[0]!.data, {
      source: '//tripline/acme',
    });
    const { findings } = playTimeline({
      rules: [rule],
      events: [inventory, ...work(1, 'production'), act, ...work(2, 'staging')],
      untilMs,
    });
    expect(findings).toHaveLength(1);
    expect(findings[0]!.evidence).toHaveLength(contexts);
  },
);
