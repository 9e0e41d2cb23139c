import { type Actor, type IncidentState, type Resolution, resolutions } from '@tripline/contracts/incident';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freshDatabase } from '../../test/setup/postgres.ts';
import { acknowledge, IncidentError, listIncidents, readIncident, reopen, resolve } from './incidents.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

let numbers = 0;
async function openIncident(): Promise<string> {
  const id = `INC-${++numbers}`;
  await database.db.pool.query(
    `INSERT INTO incidents (id, workspace, severity, title) VALUES ($1, 'acme', 'high', 'a title')`,
    [id],
  );
  return id;
}
const ada: Actor = { via: 'slack', id: 'U1', name: 'ada' };
const grace: Actor = { via: 'cli', id: 'grace', name: 'grace' };
const jobs = async (incident: string) =>
  (
    await database.db.pool.query(
      `SELECT task_identifier AS name FROM graphile_worker.jobs WHERE key LIKE '%:' || $1 ORDER BY 1`,
      [incident],
    )
  ).rows.map(({ name }) => name);

test('an acknowledgement says who and when, and leaves one job a sink', async () => {
  const id = await openIncident();
  const { changed, incident } = await acknowledge(database.db, id, ada);
  expect(changed).toBe(true);
  expect(incident).toMatchObject({ state: 'acknowledged', version: 2, acknowledged: { by: ada } });
  expect(await jobs(id)).toEqual(['tell-pagerduty', 'tell-slack']);

  const again = await acknowledge(database.db, id, grace);
  expect(again.changed).toBe(false);
  expect(again.incident.acknowledged?.by).toEqual(ada);
  expect((await readIncident(database.db, id))?.events.map(({ kind, actor }) => [kind, actor.name])).toEqual([
    ['acknowledged', 'ada'],
  ]);
});

test('what does not exist, or is resolved, is refused with what to do', async () => {
  await expect(acknowledge(database.db, 'INC-999999', ada)).rejects.toThrow(IncidentError);
  const id = await openIncident();
  await resolve(database.db, id, 'accepted', ada);
  await expect(acknowledge(database.db, id, grace)).rejects.toThrow(/reopen it first/);
});

test('two people at once: one acknowledges, the other is told who', async () => {
  const id = await openIncident();
  const both = await Promise.all([acknowledge(database.db, id, ada), acknowledge(database.db, id, grace)]);
  expect(both.filter(({ changed }) => changed)).toHaveLength(1);
  expect(both[0]!.incident.acknowledged).toEqual(both[1]!.incident.acknowledged);
});

type Model = { state: IncidentState; by: string | null; resolution: Resolution | null; version: number };
const steps = fc.array(
  fc.record({
    verb: fc.constantFrom('acknowledge', 'resolve', 'reopen'),
    actor: fc.constantFrom(ada, grace),
    resolution: fc.constantFrom(...resolutions),
  }),
  { maxLength: 8 },
);

test('any sequence of transitions keeps to the state chart', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const id = await openIncident();
      const model: Model = { state: 'open', by: null, resolution: null, version: 1 };
      for (const { verb, actor, resolution } of sequence) {
        const before = { ...model };
        if (verb === 'acknowledge' && model.state === 'open')
          Object.assign(model, { state: 'acknowledged', by: actor.name });
        if (verb === 'resolve' && model.state !== 'resolved') Object.assign(model, { state: 'resolved', resolution });
        if (verb === 'reopen' && model.state === 'resolved')
          Object.assign(model, { state: 'open', by: null, resolution: null });
        const moved = model.state !== before.state;
        if (moved) model.version += 1;
        const call = {
          acknowledge: () => acknowledge(database.db, id, actor),
          resolve: () => resolve(database.db, id, resolution, actor),
          reopen: () => reopen(database.db, id, actor),
        }[verb];
        if (verb === 'acknowledge' && before.state === 'resolved') await expect(call()).rejects.toThrow(IncidentError);
        else expect((await call()).changed).toBe(moved);
      }
      const [incident] = (await listIncidents(database.db, { limit: 10_000 })).filter((listed) => listed.id === id);
      expect({
        state: incident!.state,
        by: incident!.acknowledged?.by.name ?? null,
        resolution: incident!.resolved?.resolution ?? null,
        version: incident!.version,
      }).toEqual(model);
      expect((await readIncident(database.db, id))!.events).toHaveLength(model.version - 1);
    }),
    { numRuns: 40 },
  );
});
