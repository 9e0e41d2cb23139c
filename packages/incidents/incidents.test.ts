import { type Actor, type IncidentState, type Resolution, resolutions } from '@tripline/contracts/incident';
import { inTransaction } from '@tripline/db/transaction';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { acknowledge, IncidentError, listIncidents, pageAnew, readIncident, reopen, resolve } from './incidents.ts';

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
  (await database.db.pool.query(`SELECT purpose AS name FROM queue WHERE item = $1 ORDER BY 1`, [incident])).rows.map(
    ({ name }) => name,
  );

test('an acknowledgement says who and when, and leaves one job a sink', async () => {
  const id = await openIncident();
  const { changed, incident } = await acknowledge(database.db, id, ada);
  expect(changed).toBe(true);
  expect(incident).toMatchObject({ state: 'acknowledged', version: 2, acknowledged: { by: ada } });
  expect(await jobs(id)).toEqual(['notify']);

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
  await expect(resolve(database.db, id, 'accepted', ada)).rejects.toThrow('say why');
  await resolve(database.db, id, 'accepted', ada, 'agreed with grace');
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
          resolve: () => resolve(database.db, id, resolution, actor, 'a reason'),
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

const acts = async (incident: string) =>
  (
    await database.db.pool.query<{ event_id: string; data: Record<string, unknown> }>(
      `SELECT event_id, data FROM outbox WHERE data->>'tripline.act.target' = $1 ORDER BY id`,
      [incident],
    )
  ).rows;

test('what a person does is left for the log, with who, by what proof and why, and with nothing else', async () => {
  const id = await openIncident();
  const known: Actor = { ...ada, proof: 'slack-user:U1 linked to ada' };
  await acknowledge(database.db, id, known);
  await acknowledge(database.db, id, grace);
  await resolve(database.db, id, 'accepted', known, `agreed, see ghp_${'x'.repeat(36)}`);
  await reopen(database.db, id, grace, 'it went on');
  expect((await acts(id)).map(({ event_id, data }) => [event_id, data])).toMatchObject([
    [
      `act:${id}:2`,
      {
        'tripline.act.kind': 'incident-acknowledged',
        'tripline.act.via': 'slack',
        'tripline.act.proof': 'slack-user:U1 linked to ada',
        'user.id': 'U1',
        'user.name': 'ada',
      },
    ],
    [`act:${id}:3`, { 'tripline.act.kind': 'incident-resolved', 'tripline.act.resolution': 'accepted' }],
    [`act:${id}:4`, { 'tripline.act.reason': 'it went on', 'tripline.act.proof': 'none' }],
  ]);
  const history = (await readIncident(database.db, id))!;
  expect(history.events[1]!.detail['reason']).toMatch(/^agreed, see \[github-token sha256:/);
  expect(JSON.stringify([history, await acts(id)])).not.toContain('xxxx');
});

test('pages again for what no finding says: by what was answered, and by how grave it is', async () => {
  const read = async (id: string) => (await readIncident(database.db, id))!;
  const page = (id: string) =>
    inTransaction(database.db, (client) => pageAnew(client, id, { reason: 'the token is still alive' }));
  const id = await openIncident();
  await page(id);
  // Nobody has answered the first one yet.
  expect(await read(id)).toMatchObject({ state: 'open', version: 2, pageGeneration: 0 });
  await acknowledge(database.db, id, ada);
  await page(id);
  await page(id);
  expect(await read(id)).toMatchObject({ state: 'acknowledged', pageGeneration: 1 });
  await resolve(database.db, id, 'true', ada);
  await page(id);
  expect(await read(id)).toMatchObject({ state: 'open', pageGeneration: 2, acknowledged: null, resolved: null });
  await resolve(database.db, id, 'false', ada, 'a test');
  expect(await page(id)).toBe(false);
  expect(await read(id)).toMatchObject({ state: 'resolved', pageGeneration: 2 });

  const grave = await openIncident();
  await database.db.pool.query(`UPDATE incidents SET severity = 'critical' WHERE id = $1`, [grave]);
  await acknowledge(database.db, grave, ada);
  await page(grave);
  expect(await read(grave)).toMatchObject({ state: 'open', pageGeneration: 1, acknowledged: null });
  expect((await read(grave)).events.at(-1)).toMatchObject({
    kind: 'paged',
    actor: { via: 'tripline' },
    detail: { reason: 'the token is still alive', generation: 1 },
  });
});
