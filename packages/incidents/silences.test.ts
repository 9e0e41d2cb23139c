import type { Finding } from '@tripline/contracts/finding';
import type { Silence } from '@tripline/contracts/silence';
import type { Db } from '@tripline/db/database';
import { inTransaction } from '@tripline/db/transaction';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { someFinding } from '../../test/faults/recorded-findings.ts';
import { listFindings, readFinding } from './findings.ts';
import { listIncidents, readIncident } from './incidents.ts';
import { recordVerdicts } from './record-findings.ts';
import {
  addSilence,
  expireSilence,
  listSilences,
  previewSilence,
  SilenceError,
  tellEndedSilences,
} from './silences.ts';
import type { RuleVerdict } from './verdicts.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
/** Each as the role that does it. */
let cli: Db;
let detector: Db;
beforeAll(async () => {
  database = await freshDatabase();
  cli = database.as('cli');
  detector = database.as('detector');
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.db.pool.query('TRUNCATE silences, silenced_findings, findings, incidents, outbox CASCADE');
  await database.db.pool.query('DELETE FROM queue');
});

const ada = { via: 'cli', id: 'ada', name: 'ada', proof: 'os-user' } as const;
const dayMs = 24 * 3_600_000;
const month = { until: { ms: 30 * dayMs }, owner: 'platform team', reason: 'they move house' };
const found = (subject: string, more: Partial<Finding> = {}): Finding => ({
  ...someFinding(subject, { person: 'mallory' }),
  severity: 'medium',
  detectedAt: new Date().toISOString(),
  ...more,
});
const record = (findings: readonly Finding[], silences: readonly Silence[] = []) =>
  inTransaction(database.db, (client) =>
    recordVerdicts(
      client,
      findings.map((finding): RuleVerdict => ({ kind: 'found', finding })),
      silences,
    ),
  );
const lay = (verdict: RuleVerdict) => inTransaction(database.db, (client) => recordVerdicts(client, [verdict], []));
const retract = ({ id: findingId }: Finding) =>
  lay({ kind: 'retracted', retraction: { findingId, reason: 'it was allowed', atMs: Date.now() } });
const endAll = () =>
  database.db.pool.query(
    `UPDATE silences SET until = clock_timestamp() - interval '1 s';
     UPDATE silenced_findings SET until = clock_timestamp() - interval '1 s'`,
  );
const incidents = () => listIncidents(database.db);
const jobs = async () =>
  (await database.db.pool.query("SELECT purpose || ':' || item AS key FROM queue ORDER BY key")).rows.map(
    ({ key }) => key,
  );
const acts = async () => (await database.db.pool.query('SELECT workspace, data FROM outbox ORDER BY id')).rows;

test('a silence keeps what fits it from being told, and nothing else', async () => {
  const { id } = await addSilence(cli, { subject: 'quiet*', ...month }, ada);
  expect(await record([found('quiet 1'), found('loud')])).toMatchObject({ silenced: 1, found: 1 });
  expect(await incidents()).toHaveLength(1);
  const [silenced] = (await listFindings(database.db)).filter(({ subject }) => subject === 'quiet 1');
  expect(silenced).toMatchObject({
    incident: null,
    silencedBy: expect.stringMatching(`^${id} until .*: they move house$`),
  });
});

test('critical passes a silence unless it says otherwise', async () => {
  await addSilence(cli, { actor: 'mallory', rule: 'quiet-*', ...month }, ada);
  const grave = found('grave', { severity: 'critical', rule: 'quiet-rule' });
  expect(await record([grave])).toMatchObject({ found: 1, silenced: 0 });
  await addSilence(cli, { actor: 'mallory', critical: true, ...month }, ada);
  expect(await record([found('graver', { severity: 'critical' })])).toMatchObject({ found: 0, silenced: 1 });
});

test('what still stands at the end comes back as one incident, once, without response', async () => {
  await addSilence(cli, { actor: 'mallory', ...month }, ada);
  const [one, two, gone] = [found('one'), found('two', { severity: 'high' }), found('gone')];
  await record([one, two, gone]);
  await retract(gone);
  expect(await tellEndedSilences(detector)).toBe(0);
  await endAll();
  const opened = await Promise.all(Array.from({ length: 3 }, () => tellEndedSilences(detector)));
  expect(opened.reduce((sum, count) => sum + count, 0)).toBe(1);
  const [incident, ...others] = await incidents();
  expect(others).toEqual([]);
  expect(incident).toMatchObject({ state: 'open', severity: 'high', workspace: 'acme' });
  expect(incident!.title).toMatch(/^2 findings silenced until \d{4}-.* still stand$/);
  const history = (await readIncident(database.db, incident!.id))!;
  expect(history.findings.map(({ subject }) => subject).sort()).toEqual(['one', 'two']);
  expect(history.events).toMatchObject([{ kind: 'opened', detail: { findings: 2 } }]);
  expect(await jobs()).toEqual([`notify:${incident!.id}`]);
  expect(await tellEndedSilences(detector)).toBe(0);

  // From here on it is an incident like any other.
  await retract(one);
  await retract(two);
  expect(await incidents()).toMatchObject([{ state: 'resolved', resolved: { resolution: 'false' } }]);
});

test('what stands again after its silence ended is told too', async () => {
  await addSilence(cli, { actor: 'mallory', ...month }, ada);
  const one = found('comes and goes');
  await record([one]);
  await retract(one);
  await endAll();
  expect(await tellEndedSilences(detector)).toBe(0);
  await lay({ kind: 'reinstated', finding: one });
  expect(await tellEndedSilences(detector)).toBe(1);
  expect(await readFinding(database.db, one.id)).toMatchObject({ incident: expect.stringMatching(/^INC-/) });
});

test('a crash while it is told leaves all of it for the next time', async () => {
  await addSilence(cli, { actor: 'mallory', ...month }, ada);
  await record([found('one'), found('two')]);
  await endAll();
  await database.db.pool.query(
    `CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;
     CREATE TRIGGER broken BEFORE DELETE ON silenced_findings EXECUTE FUNCTION break()`,
  );
  await expect(tellEndedSilences(detector)).rejects.toThrow('broken');
  await database.db.pool.query('DROP TRIGGER broken ON silenced_findings; DROP FUNCTION break');
  expect(await incidents()).toEqual([]);
  expect(await tellEndedSilences(detector)).toBe(1);
});

test('silences of tripline.yaml do the same, each workspace by itself', async () => {
  const until = new Date(Date.now() + dayMs).toISOString();
  const yaml = [{ subject: 'q*', until, reason: 'of the file' }];
  await record([found('q1'), found('q2', { workspace: 'labs' })], yaml);
  await endAll();
  expect(await tellEndedSilences(detector)).toBe(2);
  expect((await incidents()).map(({ workspace }) => workspace).sort()).toEqual(['acme', 'labs']);
});

test('one that is expired before its time holds for nothing more, and gives back what it kept', async () => {
  const { id } = await addSilence(cli, { actor: 'mallory', ...month }, ada);
  await record([found('before')]);
  expect(await expireSilence(cli, id, ada, 'it was a mistake')).toMatchObject({ changed: true });
  expect(await expireSilence(cli, id, ada)).toMatchObject({ changed: false });
  expect(await record([found('after')])).toMatchObject({ found: 1, silenced: 0 });
  expect(await tellEndedSilences(detector)).toBe(1);
  expect(await listSilences(cli)).toEqual([]);
  expect(await listSilences(cli, { all: true })).toMatchObject([{ id, expired: { by: ada } }]);
  await expect(expireSilence(cli, 'SIL-0', ada)).rejects.toThrow(SilenceError);
});

test('who adds or expires one is left for the log, with what and why', async () => {
  const { id } = await addSilence(cli, { workspace: 'acme', rule: 'r', ...month }, ada);
  await addSilence(cli, { rule: 'r', ...month }, ada);
  await expireSilence(cli, id, ada, 'done');
  expect(await acts()).toMatchObject([
    {
      workspace: 'acme',
      data: {
        'tripline.act.kind': 'silence-added',
        'tripline.act.target': id,
        'tripline.act.proof': 'os-user',
        'tripline.act.reason': expect.stringMatching(
          /^rule=r, workspace=acme until .*, for platform team: they move house$/,
        ),
      },
    },
    { workspace: '@tripline', data: { 'tripline.act.kind': 'silence-added' } },
    { workspace: 'acme', data: { 'tripline.act.kind': 'silence-expired', 'tripline.act.target': id } },
  ]);
});

test.each<[string, object, string]>([
  ['for ever', { until: new Date('9999-12-31T00:00:00Z') }, '30 days at most'],
  ['a second too long', { until: { ms: 30 * dayMs + 1000 } }, '30 days at most'],
  ['over already', { until: new Date(0) }, 'over already'],
  ['of no time', { until: new Date(Number.NaN) }, 'over already'],
  ['of everything', { actor: undefined, rule: '*' }, 'silence everything'],
  ['of nobody', { owner: ' ' }, 'an owner and a reason'],
  ['without a reason', { reason: '' }, 'an owner and a reason'],
])('a silence %s is refused in words, and leaves nothing', async (_, more, sentence) => {
  const adding = addSilence(cli, { actor: 'mallory', ...month, ...more }, ada);
  await expect(adding).rejects.toThrow(SilenceError);
  await expect(adding).rejects.toThrow(sentence);
  expect(await listSilences(cli, { all: true })).toEqual([]);
  expect(await acts()).toEqual([]);
});

test('a preview says what would have been silenced, and silences nothing', async () => {
  await record([found('q1'), found('q2', { severity: 'critical' }), found('other')]);
  const since = new Date(Date.now() - dayMs);
  const subjects = async (scope: Parameters<typeof previewSilence>[1]) =>
    (await previewSilence(cli, scope, since)).map(({ subject }) => subject).sort();
  expect(await subjects({ subject: 'q*' })).toEqual(['q1']);
  expect(await subjects({ subject: 'q*', critical: true })).toEqual(['q1', 'q2']);
  expect(await subjects({ subject: 'q*', workspace: 'labs' })).toEqual([]);
  expect(await listSilences(cli)).toEqual([]);
});

test.each([false, true])('a finding that grows past its silence is told, once (in one batch: %s)', async (atOnce) => {
  const entity = (id: string) => ({ kind: 'repository' as const, id });
  await addSilence(cli, { repository: 'acme/app', ...month }, ada);
  const known = { kind: 'user', id: 'mallory', key: 'github:github.com:user:9' } as const;
  await record([found('told before', { entities: [known] })]);
  const grown = ({ id: findingId, rule }: Finding, more: object): RuleVerdict => ({
    kind: 'grown',
    change: { findingId, rule, atMs: Date.now(), ...more },
  });
  const [wider, graver, within] = ['grows wider', 'grows graver', 'grows within'].map((subject) =>
    found(subject, { entities: [entity('acme/app')] }),
  ) as [Finding, Finding, Finding];
  const founds = [wider, graver, within].map((finding): RuleVerdict => ({ kind: 'found', finding }));
  const growths = [
    grown(wider, { entities: [entity('acme/other'), known] }),
    grown(graver, { severity: 'critical' }),
    grown(within, { severity: 'high', entities: [{ kind: 'run', id: 'acme/app#7' }] }),
  ];
  for (const verdicts of atOnce ? [[...founds, ...growths]] : [founds, growths])
    await inTransaction(detector, (client) => recordVerdicts(client, verdicts, []));

  for (const { id } of [wider, graver])
    expect(await readFinding(database.db, id)).toMatchObject({
      silencedBy: null,
      incident: expect.stringMatching(/^INC-/),
    });
  expect(await readFinding(database.db, within.id)).toMatchObject({
    ...{ silencedBy: expect.stringContaining(month.reason), incident: null, severity: 'high' },
  });
  const [joined] = (await listFindings(database.db)).filter(({ subject }) => subject === 'told before');
  expect(await readFinding(database.db, wider.id)).toMatchObject({ incident: joined!.incident });
  expect(await incidents()).toHaveLength(2);
  const steps = (await jobs()).filter((key) => key?.startsWith('remediate:') && !key.endsWith(joined!.id));
  expect(steps).toEqual([wider, graver].map(({ id }) => `remediate:${id}`).sort());
  await endAll();
  expect(await tellEndedSilences(detector)).toBe(1);
  expect(await incidents()).toHaveLength(3);
});
