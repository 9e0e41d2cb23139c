import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import type { Config } from '@tripline/config/config';
import { settings } from '@tripline/config/settings';
import type { Db } from '@tripline/db/database';
import { listFindings } from '@tripline/incidents/findings';
import { createOutbound } from '@tripline/integrations/outbound';
import type { ScenarioStep } from '@tripline/scenarios/scenario';
import { startStandalone } from '@tripline/standalone/standalone';
import { deliver } from '../../attack/deliver.ts';
import { type Io, UserError } from '../../command.ts';
import { withStore } from '../../store.ts';
import { listStanding } from '../standing.ts';
import { brokerName, createOrganization, login, type Organization, policyName } from './organization.ts';
import { type StandIn, startStandIn, type Word } from './stand-in.ts';
import { runStep, type StepDone } from './step.ts';

/** What happened, as it is told: a chapter, or what was seen in it and whether it went as it should. */
export type Passage =
  | { kind: 'chapter'; title: string }
  | { kind: 'line'; text: string }
  | { kind: 'seen'; text: string; ok: boolean; took?: { what: string; ms: number } };
type Tell = (passage: Passage) => void;

/** What the parts of the story share. */
type Playing = {
  tell: Tell;
  standIn: StandIn;
  organization: Organization;
  folder: string;
  tripline: { url: string; broker: string };
  db: Db;
  auditToken: string;
  config: Config;
  /** What the first job was given; dead by the time that it is here. */
  token?: string;
};

/** So long anything may take that is waited for, ms; and how often it is looked for. */
const patienceMs = 60_000;
const lookEveryMs = 10;
/** Within so long after the delivery that its job ended GitHub must say that a token is dead, ms. */
const deadWithinMs = 1000;
/** So long is waited for what would explain an act otherwise; half a minute and more unless told otherwise, ms. */
const graceMs = 500;

/**
 * Plays what the broker is for, with a Tripline and a stand-in for GitHub of its own, in `folder`: a job gets a token, uses it and
 * ends, the token is dead, and whoever uses it then is found; the gate of an environment lets through what was reviewed.
 * @returns whether all went as it should.
 */
export async function playStory(folder: string, tell: Tell): Promise<boolean> {
  let isAsItShould = true;
  const telling: Tell = (told) => {
    if (told.kind === 'seen' && !told.ok) isAsItShould = false;
    tell(told);
  };
  const secret = randomBytes(24).toString('hex');
  const auditToken = randomBytes(24).toString('hex');
  const organization = createOrganization(Date.now(), secret);
  const standIn = await startStandIn(organization.owner);
  try {
    const config = configOf({ folder, standIn, secret, auditToken, organization });
    const standalone = await startStandalone(config, quiet);
    try {
      await withStore(config, async (db) => {
        const tripline = { url: standalone.url, broker: standalone.broker.url };
        const playing: Playing = { tell: telling, standIn, organization, folder, tripline, db, auditToken, config };
        for (const part of parts) await part(playing);
      });
    } finally {
      await standalone.close();
    }
  } finally {
    await standIn.close();
  }
  return isAsItShould;
}

const parts = [policyInForce, tokenOfAJob, nothingForUnreviewed, useAfterwards, whatStands];

/** A policy counts once the commit that it lies at is known as reviewed. */
async function policyInForce({ tell, standIn, organization, tripline, db }: Playing): Promise<void> {
  tell({ kind: 'chapter', title: 'A policy, reviewed' });
  const { revision, steps } = organization.policyChange();
  for (const { name, id } of Object.values(organization.repositories))
    standIn.repositories.set(name, { id, head: revision, files: {} });
  const { name, id } = organization.repositories.policies;
  standIn.repositories.set(name, { id, head: revision, files: organization.files });
  tell({ kind: 'line', text: `${name}: policy ${policyName}, opened by ada, approved by grace, merged` });
  const before = await ruleSets(db);
  await send({ tripline, organization }, steps);
  await until('the policy to be in force', async () => {
    const { rowCount } = await db.pool.query('SELECT FROM access_policies WHERE revision = $1', [revision]);
    return rowCount === 1;
  });
  // The detector keeps what is known of the runs that policies name from when it has taken them up.
  await until('the detector to take up the policy', async () => {
    const now = await ruleSets(db);
    return now.size > 0 && [...now].every(([partition, version]) => version !== before.get(partition));
  });
  tell({ kind: 'seen', ok: true, text: `in force at ${revision.slice(0, 12)}` });
}

/** By which set of rules each partition of the log is judged. */
async function ruleSets({ pool }: Db): Promise<Map<number, string>> {
  const { rows } = await pool.query<{ partition: number; version: string }>(
    'SELECT DISTINCT ON (partition) partition, version FROM rule_set_uses ORDER BY partition, use DESC',
  );
  return new Map(rows.map(({ partition, version }) => [partition, version]));
}

/** A job shows its id token and gets a token of GitHub's, which dies with it. */
async function tokenOfAJob(playing: Playing): Promise<void> {
  const { tell, standIn, organization } = playing;
  tell({ kind: 'chapter', title: 'A job, its token, and its end' });
  const { revision, steps } = organization.applicationChange();
  tell({ kind: 'line', text: `${login}/shop ${revision.slice(0, 12)}, reviewed and merged, is to be deployed` });
  await send(playing, steps);
  await atGate(playing, revision, 'approved');
  const deployment = await begin(playing, revision);

  const { token, status } = await stepOf(playing);
  const isGiven = token !== undefined && status === 0;
  tell({ kind: 'seen', ok: isGiven, text: `the step of the workflow ended with status ${status}, and has its token` });
  if (token === undefined) return;
  const call = createOutbound(standIn.url);
  const headers = { authorization: `token ${token}` };
  const use = async () => (await call(`${standIn.url}/installation/repositories`, { headers })).status;
  const first = await use();
  tell({ kind: 'seen', ok: first === 200, text: `the job uses its token: GitHub answers ${first}` });

  standIn.jobs.set(deployment.job, 'completed');
  await send(playing, [deployment.ends()]);
  const endedMs = performance.now();
  await until('GitHub to be told that the token ends', async () => standIn.tokens.get(token)?.diedMs !== undefined);
  const ms = standIn.tokens.get(token)!.diedMs! - endedMs;
  const took = { what: 'end delivered to token dead', ms };
  tell({
    kind: 'seen',
    ok: ms <= deadWithinMs,
    text: `the job ends: its token is dead ${Math.round(ms)} ms later`,
    took,
  });
  const second = await use();
  tell({ kind: 'seen', ok: second === 401, text: `whoever uses it now is answered ${second}` });
  playing.token = token;
}

/** Has a run wait for production, and tells what the gate said; it should be `wanted`. */
async function atGate(playing: Playing, revision: string, wanted: 'approved' | 'rejected'): Promise<void> {
  const { standIn, organization, tell } = playing;
  const asked = organization.asksGate(revision);
  await send(playing, asked.steps);
  const isVerdict = ({ run, state }: Word) => run === asked.run && state !== undefined;
  const { state, comment } = await until('a verdict at the gate', async () => standIn.verdicts.find(isVerdict));
  for (const text of comment.split('\n')) if (text !== '') tell({ kind: 'line', text });
  tell({ kind: 'seen', ok: state === wanted, text: `run ${asked.run} waits for production: the gate says ${state}` });
}

/** The job of a run starts; the stand-in issues its id tokens from here on. */
async function begin(playing: Playing, revision: string): Promise<ReturnType<Organization['starts']>> {
  const { standIn, organization } = playing;
  const deployment = organization.starts(revision);
  standIn.claims = deployment.claims;
  standIn.jobs.set(deployment.job, 'in_progress');
  await send(playing, deployment.steps);
  return deployment;
}

/** What the step of a workflow prints and gets, as the job that the stand-in issues id tokens for. */
async function stepOf({ tell, standIn, tripline, folder }: Playing): Promise<StepDone> {
  const done = await runStep({
    broker: { named: brokerName, at: tripline.broker },
    policy: policyName,
    idTokens: { url: `${standIn.url}/id-token`, requestToken: standIn.requestToken },
    folder,
  });
  const { token } = done;
  for (const line of done.printed) tell({ kind: 'line', text: token ? line.replaceAll(token, '***') : line });
  return done;
}

/** The same job of a commit that went straight to main. */
async function nothingForUnreviewed(playing: Playing): Promise<void> {
  const { tell, organization } = playing;
  tell({ kind: 'chapter', title: 'A job of a commit that nobody reviewed' });
  const { revision, steps } = organization.unreviewedPush();
  tell({ kind: 'line', text: `ada pushes ${revision.slice(0, 12)} straight to main, and a run is to deploy it` });
  await send(playing, steps);
  await atGate(playing, revision, 'rejected');
  tell({ kind: 'line', text: 'an administrator lets it start all the same' });
  const deployment = await begin(playing, revision);
  await find(playing, 'deployment-gate-bypassed');
  const { token, status } = await stepOf(playing);
  const isDenied = token === undefined && status === 1;
  tell({ kind: 'seen', ok: isDenied, text: `the step ended with status ${status}: nothing is given` });
  await send(playing, [deployment.ends()]);
}

/** GitHub's audit log says that the token was used after its job: a finding. */
async function useAfterwards(playing: Playing): Promise<void> {
  const { tell, organization, tripline, auditToken, token } = playing;
  if (token === undefined) return;
  tell({ kind: 'chapter', title: 'The token, used once more' });
  await pause(2 * graceMs);
  const record = organization.usedRecord(token, auditToken, Date.now());
  await deliver({ url: tripline.url }, record);
  tell({ kind: 'line', text: 'GitHub’s audit log tells of a use of it, from 203.0.113.88' });
  const usual = 'By default a use is found from a minute after the job on (mintedGraceMs), since clocks differ';
  tell({ kind: 'line', text: `${usual}; this playing allows ${graceMs} ms` });
  await find(playing, 'credential-use-outside-job');
}

/** What the broker is to take the place of. */
async function whatStands({ tell, config, organization }: Playing): Promise<void> {
  tell({ kind: 'chapter', title: 'What stands by itself, and how to retire it' });
  const printed: string[] = [];
  const out = (text: string) => {
    for (const line of text.split('\n').filter((one) => one !== '')) {
      printed.push(line);
      tell({ kind: 'line', text: line });
    }
  };
  const io: Io = { out, err: () => {}, stdin: process.stdin, env: {}, cwd: config.baseDir, isTerminal: false };
  const { 'access.yaml': file, 'access.lock': lock } = organization.files;
  const policies = { file: readPolicies(file), lock: readLock(lock) };
  const choice = { org: login, json: false, plan: true, holds: [] };
  await listStanding({ config, nowMs: Date.now(), policies, uses: undefined }, choice, io);
  // Each thing with what retires it; one part is never read here, since GitHub tells it Apps alone.
  const things = Number(/: (\d+) things stand$/.exec(printed[0] ?? '')?.[1] ?? 0);
  const retired = printed.filter((line) => /^ *retire: /.test(line)).length;
  tell({
    kind: 'seen',
    ok: things > 0 && retired >= things,
    text: '`tripline access standing --plan` lists it, with what takes its place',
  });
}

/** What a rule finds, and how long after it was told. */
async function find({ tell, db }: Playing, rule: string): Promise<void> {
  const startedMs = performance.now();
  const finding = await until(`a finding of ${rule}`, async () => (await listFindings(db, { rule }))[0]);
  const ms = performance.now() - startedMs;
  const text = `found after ${Math.round(ms)} ms: ${finding.title} (${finding.severity})`;
  tell({ kind: 'seen', ok: true, text, took: { what: rule, ms } });
}

type Sending = Pick<Playing, 'tripline' | 'organization'>;

/** Delivers one after the other, as GitHub does. */
async function send({ tripline, organization }: Sending, steps: readonly ScenarioStep[]): Promise<void> {
  for (const step of steps) await deliver({ url: tripline.url }, organization.delivery(step));
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What `look` finds, as soon as it finds anything. @throws {UserError} it does not within a minute. */
async function until<Found>(what: string, look: () => Promise<Found | undefined | false>): Promise<Found> {
  const latestMs = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > latestMs) throw new UserError(`waited a minute for ${what}, in vain`);
    await pause(lookEveryMs);
  }
}

/** Shows nothing of what Tripline itself says. */
const quiet: Parameters<typeof startStandalone>[1] = {
  line: () => {},
  style: (_style, text) => text,
  step: (_what, work) => work(),
};

function configOf(of: {
  folder: string;
  standIn: StandIn;
  secret: string;
  auditToken: string;
  organization: Organization;
}): Config {
  const { folder, standIn, secret, auditToken, organization } = of;
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir, { mode: 0o700 });
  const parsed = settings.parse({
    ...{ dataDir, host: '127.0.0.1', port: 0, learningDays: 0, logLevel: 'info' },
    github: { apiUrl: standIn.url, webhookSecrets: [secret], token: randomBytes(24).toString('hex') },
    'github-audit': { tokens: [auditToken] },
    identity: {
      audience: brokerName,
      github: [{ owners: [String(organization.owner.id)], jwksUri: `${standIn.url}/.well-known/jwks` }],
    },
    broker: {
      policy: { repository: organization.repositories.policies.name },
      apps: [{ id: '1', privateKey: standIn.privateKey }],
    },
    rules: {
      settings: {
        'credential-use-outside-job': { mintedGraceMs: graceMs },
        'build-from-unreviewed-commit': { holdMs: graceMs },
      },
    },
  });
  return { ...parsed, baseDir: folder, file: null, remarks: [] };
}
