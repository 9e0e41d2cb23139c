import { exceptionOf } from '@tripline/contracts/exception';
import type { Finding } from '@tripline/contracts/finding';
import type { Silence } from '@tripline/contracts/silence';
import { inTransaction } from '@tripline/db/transaction';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordFindings, someFinding } from '../../test/faults/recorded-findings.ts';
import { listFindings, readFinding } from './findings.ts';
import { acknowledge, listIncidents, readIncident, reopen, resolve } from './incidents.ts';
import { recordVerdicts } from './record-findings.ts';
import type { RuleVerdict } from './verdicts.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

const hourMs = 3_600_000;
/** A finding about `persons`, which the log told `agoMs` ago: a detector may have hours to catch up on. */
function toldAgo(agoMs: number, subject: string, persons: readonly [string, ...string[]]): Finding {
  return {
    ...someFinding(subject, { person: persons[0] }),
    detectedAt: new Date(Date.now() - agoMs).toISOString(),
    entities: persons.map((id) => ({ kind: 'user', id })),
  };
}
async function incidentOf({ id }: Finding): Promise<string> {
  const { rows } = await database.db.pool.query<{ incident: string }>('SELECT incident FROM findings WHERE id = $1', [
    id,
  ]);
  return rows[0]!.incident;
}
const ada = { via: 'cli', id: 'ada', name: 'ada' } as const;

test('what joins or leaves an acknowledged incident leaves it acknowledged', async () => {
  const [first, second] = [toldAgo(3000, 'acknowledged', ['olivia']), toldAgo(2000, 'joins it', ['olivia'])];
  await recordFindings(database.db, [first]);
  const incident = await incidentOf(first);
  await acknowledge(database.db, incident, ada);
  const read = async () => (await listIncidents(database.db, { limit: 1000 })).find(({ id }) => id === incident);

  await recordFindings(database.db, [second]);
  expect(await incidentOf(second)).toBe(incident);
  expect(await read()).toMatchObject({ state: 'acknowledged', version: 3, acknowledged: { by: ada } });

  const retraction = (findingId: string) =>
    ({ kind: 'retracted', retraction: { findingId, reason: 'it was allowed', atMs: Date.now() } }) as const;
  await inTransaction(database.db, (client) => recordVerdicts(client, [retraction(first.id)], []));
  expect(await read()).toMatchObject({ state: 'acknowledged', version: 4, acknowledged: { by: ada } });
  await inTransaction(database.db, (client) => recordVerdicts(client, [retraction(second.id)], []));
  expect(await read()).toMatchObject({ state: 'resolved', resolved: { resolution: 'false' } });
});

test('whoever resolves or reopens an incident leaves for the log what its standing findings are about, runners first', async () => {
  const runner = { kind: 'runner', id: 'github:github.com:9/x7' } as const;
  const stands = toldAgo(3000, 'on a new runner', ['rosalind']);
  const gone = { ...toldAgo(2000, 'taken back', ['rosalind']), entities: [{ kind: 'user' as const, id: 'rosalind' }] };
  await recordFindings(database.db, [{ ...stands, entities: [...stands.entities, runner, runner] }, gone]);
  const incident = await incidentOf(stands);
  const retraction = { findingId: gone.id, reason: 'it was allowed', atMs: Date.now() };
  await inTransaction(database.db, (client) => recordVerdicts(client, [{ kind: 'retracted', retraction }], []));
  await acknowledge(database.db, incident, ada);
  await resolve(database.db, incident, 'accepted', ada, 'bought yesterday');
  await reopen(database.db, incident, ada);

  const { rows } = await database.db.pool.query<{ entities: unknown }>(
    `SELECT data->'tripline.act.entities' AS entities FROM outbox WHERE data->>'tripline.act.target' = $1 ORDER BY id`,
    [incident],
  );
  const named = [runner, { kind: 'user', id: 'rosalind' }];
  expect(rows.map(({ entities }) => entities)).toEqual([null, named, named]);
});

test('a finding joins the incident that the log told of last, whatever was done to others meanwhile', async () => {
  const former = toldAgo(3 * hourMs, 'former', ['grace']);
  const later = toldAgo(2 * hourMs, 'later', ['mallory']);
  await recordFindings(database.db, [former]);
  await recordFindings(database.db, [later]);
  await acknowledge(database.db, await incidentOf(former), ada);

  const both = toldAgo(hourMs, 'both', ['grace', 'mallory']);
  await recordFindings(database.db, [both]);
  expect(await incidentOf(both)).toBe(await incidentOf(later));
});

test('a finding joins what the log told of within a day of it, however late somebody acts', async () => {
  const first = toldAgo(72 * hourMs, 'first of a backlog', ['heidi']);
  await recordFindings(database.db, [first]);
  await acknowledge(database.db, await incidentOf(first), ada);

  const soon = toldAgo(71 * hourMs, 'an hour later in the log', ['heidi']);
  const late = toldAgo(hourMs, 'days later in the log', ['heidi']);
  await recordFindings(database.db, [soon]);
  await recordFindings(database.db, [late]);
  expect(await incidentOf(soon)).toBe(await incidentOf(first));
  expect(await incidentOf(late)).not.toBe(await incidentOf(first));
});

const dayMs = 24 * hourMs;
async function readOf(finding: Finding) {
  const incident = await incidentOf(finding);
  const [listed] = (await listIncidents(database.db, { limit: 1000 })).filter(({ id }) => id === incident);
  return { ...listed!, history: (await readIncident(database.db, incident))! };
}
const graver = (finding: Finding, severity: Finding['severity']): Finding => ({ ...finding, severity });
const kinds = (read: Awaited<ReturnType<typeof readOf>>) => read.history.events.map(({ kind }) => kind);

test('a finding that is less grave than what somebody acknowledged pages nobody', async () => {
  const first = graver(toldAgo(3000, 'acknowledged as high', ['peggy']), 'high');
  await recordFindings(database.db, [first]);
  await acknowledge(database.db, await incidentOf(first), ada);
  await recordFindings(database.db, [graver(toldAgo(2000, 'a medium one', ['peggy']), 'medium')]);
  const read = await readOf(first);
  expect(read).toMatchObject({ state: 'acknowledged', severity: 'high', pageGeneration: 0 });
  expect(kinds(read)).not.toContain('paged');
});

test('a finding as grave as what was acknowledged pages again, once until somebody answers that page', async () => {
  const first = graver(toldAgo(5000, 'high', ['trudy']), 'high');
  await recordFindings(database.db, [first]);
  const incident = await incidentOf(first);
  await acknowledge(database.db, incident, ada);
  for (const subject of ['as grave', 'as grave too']) {
    await recordFindings(database.db, [graver(toldAgo(4000, subject, ['trudy']), 'high')]);
    expect(await readOf(first)).toMatchObject({ state: 'acknowledged', acknowledged: { by: ada }, pageGeneration: 1 });
  }
  const bob = { ...ada, id: 'bob', name: 'bob' };
  expect(await acknowledge(database.db, incident, bob)).toMatchObject({ changed: true });
  expect(await acknowledge(database.db, incident, ada)).toMatchObject({
    changed: false,
    incident: { acknowledged: { by: bob } },
  });
  await recordFindings(database.db, [graver(toldAgo(3000, 'once more', ['trudy']), 'high')]);
  expect(await readOf(first)).toMatchObject({ state: 'acknowledged', pageGeneration: 2 });
});

test('what becomes critical pages again, and is nobody’s any more', async () => {
  const first = graver(toldAgo(5000, 'medium at first', ['wendy']), 'medium');
  await recordFindings(database.db, [first]);
  await recordFindings(database.db, [graver(toldAgo(4500, 'high while nobody has it', ['wendy']), 'high')]);
  expect(await readOf(first)).toMatchObject({ state: 'open', severity: 'high', pageGeneration: 1 });
  await acknowledge(database.db, await incidentOf(first), ada);
  await recordFindings(database.db, [graver(toldAgo(4000, 'critical', ['wendy']), 'critical')]);
  const read = await readOf(first);
  expect(read).toMatchObject({ state: 'open', severity: 'critical', acknowledged: null, pageGeneration: 2 });
  expect(read.history.events.at(-1)).toMatchObject({ kind: 'paged', detail: { former: 'high', severity: 'critical' } });
});

test('joining ends seven days after an incident was opened, however busy it is', async () => {
  // A minute less each day: telling them takes a moment, and the seventh is to be within the seven days.
  const told = Array.from({ length: 9 }, (_, day) =>
    toldAgo((10 - day) * dayMs + day * 60_000, `day ${day}`, ['busy']),
  );
  for (const finding of told) await recordFindings(database.db, [finding]);
  const incidents = await Promise.all(told.map(incidentOf));
  expect(new Set(incidents.slice(0, 8)).size).toBe(1);
  expect(incidents[8]).not.toBe(incidents[7]);
});

test.each(['merge-bot[bot]', 'web-flow', 'github-actions[bot]', 'Ghost'])('%s joins nothing', async (account) => {
  const [first, second] = [toldAgo(3000, `${account} 1`, [account]), toldAgo(2000, `${account} 2`, [account])];
  await recordFindings(database.db, [first]);
  await recordFindings(database.db, [second]);
  expect(await incidentOf(second)).not.toBe(await incidentOf(first));
});

test('growth is counted beyond what the history names', async () => {
  const told = Array.from({ length: 205 }, (_, n) => toldAgo(5000 - n, `one of many ${n}`, ['flood']));
  await recordFindings(database.db, told);
  const read = await readOf(told[0]!);
  expect(read.history.findingCount).toBe(205);
  expect(new Set(await Promise.all([0, 100, 204].map((n) => incidentOf(told[n]!)))).size).toBe(1);
  expect(kinds(read).filter((kind) => kind === 'joined')).toHaveLength(199);
});

test.each([
  ['in one batch', true],
  ['later', false],
])(
  'what a surer feed tells too, %s, is as sure as that, and never less; people are not told anew',
  async (_, atOnce) => {
    const finding = { ...toldAgo(3000, `told twice ${atOnce}`, ['grace']), confidence: 'medium' as const };
    const told = (confidence: Finding['confidence']): RuleVerdict => {
      const of = { findingId: finding.id, workspace: finding.workspace, rule: finding.rule, atMs: Date.now() };
      return { kind: 'grown', change: { ...of, confidence, evidence: finding.evidence } };
    };
    const verdicts: RuleVerdict[] = [{ kind: 'found', finding }, told('high'), told('low')];
    const record = (some: readonly RuleVerdict[]) =>
      inTransaction(database.db, (client) => recordVerdicts(client, some, []));
    for (const some of atOnce ? [verdicts] : verdicts.map((one) => [one])) {
      await database.db.pool.query("DELETE FROM queue WHERE purpose = 'remediate'");
      await record(some);
      const { rows } = await database.db.pool.query("SELECT 1 FROM queue WHERE purpose = 'remediate' AND item = $1", [
        finding.id,
      ]);
      // What is sure enough now may be acted upon.
      expect(rows).toHaveLength(some.includes(verdicts[2]!) && !atOnce ? 0 : 1);
    }
    expect((await readFinding(database.db, finding.id))!.confidence).toBe('high');
    expect(kinds(await readOf(finding)).filter((kind) => kind === 'grown')).toEqual([]);
  },
);

describe('a finding that an exception covers', () => {
  const exception = {
    ...{ rules: [someFinding('x', { person: 'x' }).rule], when: { user: ['deploy-*'] }, owner: 'ada' },
    ...{ reason: 'the release train', until: '2099-01-01T00:00:00Z' },
  };
  const record = (verdicts: readonly RuleVerdict[], silences: readonly Silence[] = []) =>
    inTransaction(database.db, (client) =>
      recordVerdicts(client, verdicts, silences, (finding) => {
        const found = exceptionOf(finding, [exception]);
        return found && { owner: found.owner, reason: found.reason, until: found.until };
      }),
    );

  test('is kept with who decided it, why and until when, and told to nobody', async () => {
    const finding = toldAgo(3000, 'excepted', ['deploy-bot']);
    expect(await record([{ kind: 'found', finding }])).toMatchObject({ excepted: 1, found: 0 });
    const stored = await readFinding(database.db, finding.id);
    const { owner, reason, until } = exception;
    expect(stored).toMatchObject({ incident: null, silencedBy: null, excepted: { owner, reason, until } });
    expect(await listFindings(database.db, { excepted: true })).toMatchObject([{ id: finding.id }]);
    const { rows } = await database.db.pool.query("SELECT 1 FROM queue WHERE purpose || ':' || item = $1", [
      `remediate:${finding.id}`,
    ]);
    expect(rows).toEqual([]);
  });

  test('is told like any other where somebody else is named too', async () => {
    const finding = toldAgo(3000, 'borrowed', ['deploy-bot', 'mallory']);
    expect(await record([{ kind: 'found', finding }])).toMatchObject({ excepted: 0, found: 1 });
  });

  test.each([false, true])('is told once it grows past the exception (in one batch: %s)', async (atOnce) => {
    const finding = toldAgo(3000, `grows past, ${atOnce}`, ['deploy-bot-2']);
    const entities = [{ kind: 'user' as const, id: `mallory-${atOnce}` }];
    const { id, rule } = finding;
    const found: RuleVerdict = { kind: 'found', finding };
    const grown: RuleVerdict = { kind: 'grown', change: { findingId: id, rule, atMs: Date.now(), entities } };
    for (const batch of atOnce ? [[found, grown]] : [[found], [grown]]) await record(batch);
    const stored = await readFinding(database.db, id);
    expect(stored).toMatchObject({ excepted: null, incident: expect.stringMatching(/^INC-/) });
    expect(stored!.entities).toContainEqual(entities[0]);
    const { rows } = await database.db.pool.query(
      'SELECT kind, entity AS id FROM incident_entities WHERE incident = $1',
      [stored!.incident],
    );
    expect(rows).toContainEqual(entities[0]);
  });

  test.each([false, true])(
    'is silenced where it grows past the exception into a silence (in one batch: %s)',
    async (atOnce) => {
      const finding = toldAgo(3000, `grows into a silence, ${atOnce}`, ['deploy-bot-3']);
      const silence: Silence = {
        subject: finding.subject,
        critical: true,
        reason: 'moving',
        until: '2099-01-01T00:00:00Z',
      };
      const { id, rule } = finding;
      const entities = [{ kind: 'user' as const, id: 'mallory' }];
      const found: RuleVerdict = { kind: 'found', finding };
      const grown: RuleVerdict = { kind: 'grown', change: { findingId: id, rule, atMs: Date.now(), entities } };
      for (const batch of atOnce ? [[found, grown]] : [[found], [grown]]) await record(batch, [silence]);
      expect(await readFinding(database.db, id)).toMatchObject({
        ...{ incident: null, excepted: null, silencedBy: expect.stringContaining('moving') },
      });
      const { rows } = await database.db.pool.query('SELECT 1 FROM silenced_findings WHERE finding = $1', [id]);
      expect(rows).toHaveLength(1);
    },
  );
});

describe('findings of one person', () => {
  const person = (id: string, key?: string) => ({
    kind: 'user' as const,
    id,
    ...(key && { key: `github:x:user:${key}` }),
  });
  const record = async (subject: string, entity: ReturnType<typeof person>) => {
    const finding = { ...toldAgo(3000, subject, ['nobody']), entities: [entity] };
    await recordFindings(database.db, [finding]);
    return incidentOf(finding);
  };
  test('are one incident under any name, and those of whoever takes a name over another', async () => {
    const first = await record('before the renaming', person('zoe', '11'));
    expect(await record('after it', person('zoe-new', '11'))).toBe(first);
    const other = await record('of who took the name', person('zoe', '12'));
    expect(other).not.toBe(first);
    expect(await record('of them again', person('zoe', '12'))).toBe(other);
    expect(await record('of the first again', person('zoe-newest', '11'))).toBe(first);
  });
  test('are one incident by name where one of them was told without an id', async () => {
    const first = await record('by name', person('yan'));
    expect(await record('by name and id', person('yan', '21'))).toBe(first);
    const keyed = await record('by id first', person('xue', '31'));
    expect(await record('by name then', person('xue'))).toBe(keyed);
  });
  test('two of one name, in one incident, are both found again', async () => {
    const both = {
      ...toldAgo(3000, 'two of a name', ['nobody']),
      entities: [person('wes', '41'), person('wes', '42')],
    };
    await recordFindings(database.db, [both]);
    for (const id of ['41', '42']) expect(await record(`of ${id}`, person('another', id))).toBe(await incidentOf(both));
  });
});

describe('a finding for which a narrower rule speaks', () => {
  const record = (verdicts: readonly RuleVerdict[], silences: readonly Silence[] = []) =>
    inTransaction(database.db, (client) => recordVerdicts(client, verdicts, silences));
  const superseded = (of: Finding, by: string | null): RuleVerdict => ({
    kind: 'superseded',
    change: { findingId: of.id, rule: of.rule, atMs: Date.now(), by },
  });
  const retracted = ({ id }: Finding): RuleVerdict => ({
    kind: 'retracted',
    retraction: { findingId: id, reason: 'it was allowed', atMs: Date.now() },
  });
  const jobsOf = async ({ id }: Finding) => {
    const { rows } = await database.db.pool.query("SELECT 1 FROM queue WHERE purpose || ':' || item = $1", [
      `remediate:${id}`,
    ]);
    return rows.length;
  };

  test('is kept and told to nobody, until that one is taken back', async () => {
    const wide = toldAgo(3000, 'wide', ['una']);
    const narrow = toldAgo(3000, 'narrow', ['una']);
    const recorded = await record([
      { kind: 'found', finding: narrow },
      { kind: 'found', finding: wide, supersededBy: narrow.id },
    ]);
    expect(recorded).toMatchObject({ found: 1, superseded: 1 });
    expect(await readFinding(database.db, wide.id)).toMatchObject({ incident: null, supersededBy: narrow.id });
    expect(await listFindings(database.db, { superseded: true })).toMatchObject([{ id: wide.id }]);
    expect([await jobsOf(narrow), await jobsOf(wide)]).toEqual([1, 0]);

    await record([retracted(narrow), superseded(wide, null)]);
    expect(await readFinding(database.db, wide.id)).toMatchObject({
      incident: expect.stringMatching(/^INC-/),
      supersededBy: null,
    });
    expect(await jobsOf(wide)).toBe(1);
  });

  test('and was told before leaves its incident to that one, and comes back to it', async () => {
    const wide = { ...toldAgo(3000, 'told wide', ['ursula']), severity: 'critical' as const };
    const narrow = { ...toldAgo(2000, 'told narrow', ['ursula']), severity: 'high' as const };
    await record([{ kind: 'found', finding: wide }]);
    await record([{ kind: 'found', finding: narrow }, superseded(wide, narrow.id)]);
    const id = await incidentOf(wide);
    expect(await incidentOf(narrow)).toBe(id);
    await record([retracted(narrow)]);
    expect(await readIncident(database.db, id)).toMatchObject({ state: 'resolved' });
    await record([superseded(wide, null)]);
    expect(await readIncident(database.db, id)).toMatchObject({ state: 'open' });
    await record([superseded(wide, narrow.id)]);
    expect(await readIncident(database.db, id)).toMatchObject({ state: 'resolved' });
    // It is out of it already.
    await record([retracted(wide)]);
    expect(await readFinding(database.db, wide.id)).toMatchObject({ retracted: { reason: 'it was allowed' } });
    await record([{ kind: 'reinstated', finding: wide }]);
    expect(await readIncident(database.db, id)).toMatchObject({ state: 'open' });
    expect(await readFinding(database.db, wide.id)).toMatchObject({ retracted: null, supersededBy: null });
  });

  test('is silenced where that one is taken back during a silence of its own', async () => {
    const wide = toldAgo(3000, 'hushed wide', ['ulla']);
    const silence = {
      rule: wide.rule,
      subject: wide.subject,
      critical: true,
      until: '2099-01-01T00:00:00Z',
      reason: 'known',
    };
    await record([{ kind: 'found', finding: wide, supersededBy: 'f'.repeat(64) }]);
    await record([superseded(wide, null)], [silence]);
    const stored = await readFinding(database.db, wide.id);
    expect(stored).toMatchObject({ incident: null, supersededBy: null, silencedBy: expect.stringContaining('known') });
    const { rows } = await database.db.pool.query('SELECT 1 FROM silenced_findings WHERE finding = $1', [wide.id]);
    expect(rows).toHaveLength(1);
  });

  test('and that stands again in one batch is as if it had never been superseded', async () => {
    const wide = toldAgo(3000, 'brief', ['umberto']);
    await record([{ kind: 'found', finding: wide, supersededBy: 'f'.repeat(64) }, superseded(wide, null)]);
    expect(await readFinding(database.db, wide.id)).toMatchObject({
      incident: expect.stringMatching(/^INC-/),
      supersededBy: null,
    });
  });
});

describe('a finding that rests on an unproven delivery', () => {
  const read = (id: string) => readFinding(database.db, id);
  const incident = async (finding: Finding) =>
    (await listIncidents(database.db, { limit: 1000 })).find(({ id }) => id === wanted.get(finding.id))!;
  const wanted = new Map<string, string>();
  const record = (verdicts: readonly RuleVerdict[]) =>
    inTransaction(database.db, (client) => recordVerdicts(client, verdicts, []));
  const jobsOf = async ({ id }: Finding) => {
    const { rows } = await database.db.pool.query("SELECT 1 FROM queue WHERE purpose || ':' || item = $1", [
      `remediate:${id}`,
    ]);
    return rows.length;
  };
  async function found(subject: string, person: string, severity: Finding['severity'] = 'high') {
    const finding: Finding = { ...toldAgo(3000, subject, [person]), severity, unproven: true };
    await record([{ kind: 'found', finding }]);
    wanted.set(finding.id, await incidentOf(finding));
    return finding;
  }
  const change = (finding: Finding, more: object = {}) => ({
    findingId: finding.id,
    rule: finding.rule,
    atMs: Date.now(),
    ...more,
  });

  test('says so until it is proven, and then gets its job again, once', async () => {
    const finding = await found('unproven', 'ivan');
    expect(await read(finding.id)).toMatchObject({ unproven: true, severity: 'high', lowered: null });
    await database.db.pool.query("DELETE FROM queue WHERE purpose || ':' || item = $1", [`remediate:${finding.id}`]);
    const proven = { kind: 'proven', change: change(finding) } as const;
    expect(await record([proven, proven])).toMatchObject({ proven: 1 });
    expect(await read(finding.id)).not.toHaveProperty('unproven');
    expect(await jobsOf(finding)).toBe(1);
    expect(await incident(finding)).toMatchObject({ version: 2 });
    expect(await record([proven])).toMatchObject({ proven: 0 });
    expect(await incident(finding)).toMatchObject({ version: 2 });
  });

  test('falls to low with nothing left to do, and its incident to the gravest that still stands', async () => {
    const [one, other] = [await found('lowered', 'judy', 'critical'), await found('beside it', 'judy', 'medium')];
    expect((await incident(one)).severity).toBe('critical');
    const lowered = { kind: 'lowered', change: change(one, { reason: 'nobody could ask' }) } as const;
    expect(await record([lowered, lowered])).toMatchObject({ lowered: 1 });
    expect(await read(one.id)).toMatchObject({
      severity: 'low',
      response: [],
      lowered: { reason: 'nobody could ask' },
    });
    expect((await incident(one)).severity).toBe('medium');
    await record([{ kind: 'lowered', change: change(other, { reason: 'neither here' }) }]);
    expect(await incident(one)).toMatchObject({ severity: 'low', state: 'open' });
    await record(
      [one, other].map(({ id }) => ({ kind: 'retracted', retraction: { findingId: id, reason: 'x', atMs: 1 } })),
    );
    expect(await incident(one)).toMatchObject({ state: 'resolved' });
  });

  test('rises again with all that there is to do, and pages, once what it was lowered for did not hold', async () => {
    const finding = await found('raised', 'mona', 'high');
    const whole = (await read(finding.id))!.response;
    await record([{ kind: 'lowered', change: change(finding, { reason: 'nobody could ask' }) }]);
    expect((await incident(finding)).severity).toBe('low');
    const { title, summary, response, severity } = finding;
    const more = { title, summary, response, severity, raised: true } as const;
    await record([{ kind: 'grown', change: change(finding, more) }]);
    expect(await read(finding.id)).toMatchObject({ severity: 'high', response: whole, lowered: null });
    expect((await incident(finding)).severity).toBe('high');
    const atOnce = await found('raised at once', 'nora', 'high');
    await record([
      { kind: 'lowered', change: change(atOnce, { reason: 'nobody could ask' }) },
      { kind: 'grown', change: change(atOnce, more) },
    ]);
    expect(await read(atOnce.id)).toMatchObject({ severity: 'high', lowered: null });
  });

  test('is what its batch leaves, when all of it comes at once', async () => {
    const finding: Finding = { ...toldAgo(3000, 'at once', ['kim']), severity: 'high', unproven: true };
    const line = { ...finding.evidence[0]!, eventId: 'twin', what: 'told again' };
    await record([
      { kind: 'found', finding },
      { kind: 'grown', change: change(finding, { evidence: [line] }) },
      { kind: 'proven', change: change(finding) },
      { kind: 'lowered', change: change(finding, { reason: 'why' }) },
    ]);
    const stored = (await read(finding.id))!;
    expect(stored).toMatchObject({ severity: 'low', response: [], lowered: { reason: 'why' } });
    expect(stored).not.toHaveProperty('unproven');
    expect(stored.evidence.map(({ eventId }) => eventId)).toEqual([
      ...finding.evidence.map((of) => of.eventId),
      'twin',
    ]);
  });

  test('stands again on what is received then, proved or not', async () => {
    const finding = await found('again', 'omar');
    const retraction = { findingId: finding.id, reason: 'explained', atMs: Date.now() };
    const { unproven: _, ...proved } = finding;
    await record([{ kind: 'retracted', retraction }]);
    await record([{ kind: 'reinstated', finding: proved }]);
    expect(await read(finding.id)).not.toHaveProperty('unproven');
    await record([
      { kind: 'retracted', retraction },
      { kind: 'reinstated', finding },
    ]);
    expect(await read(finding.id)).toMatchObject({ unproven: true });
  });

  test('takes evidence in without telling anybody anew', async () => {
    const finding = await found('told twice', 'leo');
    const line = { ...finding.evidence[0]!, eventId: 'twin', what: 'told again' };
    await record([{ kind: 'grown', change: change(finding, { evidence: [line] }) }]);
    expect((await read(finding.id))!.evidence).toContainEqual(line);
    expect(await incident(finding)).toMatchObject({ version: 1 });
  });

  test('grows: other things that it is about and a higher severity are told, and page', async () => {
    const finding: Finding = { ...toldAgo(3000, 'grows', ['pia']), severity: 'medium' };
    await record([{ kind: 'found', finding }]);
    wanted.set(finding.id, await incidentOf(finding));
    const step = {
      action: 'stop-run',
      provider: 'github',
      instance: 'github.com',
      repository: 'acme/b',
      runId: '7',
    } as const;
    const more = { severity: 'high', title: 'Two of them', entities: [{ kind: 'user', id: 'quentin' }] } as const;
    const response = [...finding.response, step];
    await database.db.pool.query("DELETE FROM queue WHERE purpose || ':' || item = $1", [`remediate:${finding.id}`]);
    expect(await record([{ kind: 'grown', change: change(finding, { ...more, response }) }])).toMatchObject({
      grown: 1,
    });
    const stored = (await read(finding.id))!;
    expect(stored).toMatchObject({ severity: 'high', title: 'Two of them', summary: finding.summary, response });
    expect(stored.entities).toEqual([...finding.entities, ...more.entities]);
    expect(await incident(finding)).toMatchObject({ severity: 'high', version: 2 });
    const { events } = (await readIncident(database.db, wanted.get(finding.id)!))!;
    expect(events.map(({ kind }) => kind)).toEqual(['opened', 'grown', 'paged']);
    expect(await jobsOf(finding)).toBe(1);
    // Whoever it is about now joins what comes of them.
    const next = toldAgo(1000, 'of quentin', ['quentin']);
    await record([{ kind: 'found', finding: next }]);
    expect(await incidentOf(next)).toBe(wanted.get(finding.id));
  });

  test('grows within the batch that found it', async () => {
    const finding: Finding = { ...toldAgo(3000, 'grows at once', ['rosa']), severity: 'low' };
    const more = { severity: 'critical', entities: [{ kind: 'user', id: 'sam' }], response: finding.response };
    await record([
      { kind: 'found', finding },
      { kind: 'grown', change: change(finding, more) },
    ]);
    expect(await read(finding.id)).toMatchObject({
      severity: 'critical',
      entities: [...finding.entities, { kind: 'user', id: 'sam' }],
      response: finding.response,
    });
  });

  test.each([
    ['true', { entities: [{ kind: 'credential', id: 'acme/app/NPM_TOKEN' }] }, 'open'],
    ['accepted', { entities: [{ kind: 'credential', id: 'acme/app/PYPI_TOKEN' }] }, 'open'],
    ['true', { severity: 'critical' }, 'open'],
    [
      'true',
      { evidence: [{ eventId: 'e', eventType: 'x', time: new Date(0).toISOString(), what: 'the same again' }] },
      'resolved',
    ],
    ['false', { entities: [{ kind: 'credential', id: 'acme/app/NPM_TOKEN' }] }, 'resolved'],
  ] as const)(
    'that grows after a person resolved it as %s is judged by nobody yet: %j, %s',
    async (as, more, state) => {
      const finding = await found(`resolved as ${as}, ${JSON.stringify(more)}`, `olaf-${as}-${Object.keys(more)}`);
      await resolve(database.db, wanted.get(finding.id)!, as, ada, 'looked at it');
      // Weeks later: it is the same finding still, however long ago somebody closed what it was then.
      const weekLater = { ...change(finding, more), atMs: Date.now() + 7 * 24 * 3_600_000 };
      await record([{ kind: 'grown', change: weekLater }]);
      expect(await readIncident(database.db, wanted.get(finding.id)!)).toMatchObject({ state });
    },
  );

  test('changes no more once it is retracted, and what people decided stays', async () => {
    const gone = await found('gone', 'mia');
    await record([{ kind: 'retracted', retraction: { findingId: gone.id, reason: 'explained', atMs: Date.now() } }]);
    await record([
      { kind: 'lowered', change: change(gone, { reason: 'x' }) },
      { kind: 'proven', change: change(gone) },
    ]);
    expect(await read(gone.id)).toMatchObject({ severity: 'high', unproven: true, lowered: null });
    const closed = await found('closed', 'nora');
    await resolve(database.db, wanted.get(closed.id)!, 'true', ada);
    const before = await incident(closed);
    await database.db.pool.query("DELETE FROM queue WHERE purpose || ':' || item = $1", [`remediate:${closed.id}`]);
    await record([{ kind: 'proven', change: change(closed) }]);
    expect(await read(closed.id)).not.toHaveProperty('unproven');
    expect(await incident(closed)).toEqual(before);
    expect(await jobsOf(closed)).toBe(0);
  });
});
