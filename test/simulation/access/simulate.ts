import { createHash } from 'node:crypto';
import type { SweepParts } from '@tripline/broker/sweep';
import { attackVersion, type Finding } from '@tripline/contracts/finding';
import { createLogger } from '@tripline/runtime/logger';
import { topics } from '@tripline/stream/stream';
import { recordFindings } from '../../faults/recorded-findings.ts';
import type { Difference } from '../check.ts';
import { createSimulatedDatabase, type Server } from '../database.ts';
import { createSimulatedLog } from '../log.ts';
import { clean, type Simulated, type SimulateOptions, withinSimulation } from '../playing.ts';
import { createRandom, type Random } from '../random.ts';
import { dawnMs } from '../workload.ts';
import { createWorld, type Life } from '../world.ts';
import { inForce, type SimulatedBroker, startBroker } from './broker.ts';
import { drawJobs, endOf, type Job, loggedOf, runKeyOf, workloadOf } from './jobs.ts';
import { createOracle, mostSkewMs } from './oracle.ts';
import { createProviders } from './providers.ts';
import { type Asked, currentRequest, withinRequest } from './request.ts';

type Stage = ReturnType<typeof build>;

/**
 * Brokers under one seed: jobs ask, end, hang and are run again, while brokers crash and freeze, their clocks step, their database, log
 * and providers lose requests and answers, incidents open and policies narrow. What must hold is the oracle's to say.
 */
export async function simulateAccess(seed: number, server: Server, options: SimulateOptions = {}): Promise<Simulated> {
  await clean(server);
  await server.db.pool.query(
    `INSERT INTO positions (consumer, topic, partition, next) SELECT 'detector', $1, nth, 2::bigint ^ 50 FROM generate_series(0, 2) nth`,
    [topics.events],
  );
  const stage = build(createRandom(seed), server, options);
  return withinSimulation(
    async () => {
      await playRough(stage);
      await playQuiet(stage);
      return await judge(stage);
    },
    {
      fell: stage.fell,
      close: async () => {
        for (const life of stage.world.lives()) stage.world.crash(life);
        await stage.database.close();
      },
    },
  );
}

function build(random: Random, server: Server, options: SimulateOptions) {
  const { mutant } = options;
  const world = createWorld({ random: random.fork('world'), startMs: dawnMs, trace: options.trace ?? noop });
  const logger = createLogger(
    { service: 'simulation', level: options.log ? 'warn' : 'silent' },
    { write: options.log ?? noop },
  );
  const rough = random.pick([0, 0.004, 0.02, 0.06]);
  const state = {
    ...{ isRough: true, crashes: 0, policies: inForce.given, mutated: false },
    /** Hears of the first look of each request at the policies, and of how many those were. */
    onLook: undefined as ((count: number) => void) | undefined,
  };
  const looked = new Set<Asked>();
  const fault = (probability = rough) => (state.isRough ? probability : 0);
  const lost = () => ({ lostBefore: fault(), lostAfter: fault() });
  const database = createSimulatedDatabase({
    ...{ server, world, faults: lost, mutant },
    noting(text) {
      const asked = /INSERT INTO access_grants/.test(text) ? currentRequest() : undefined;
      if (asked === undefined) return undefined;
      return () => {
        asked.intendedStep ??= world.steps();
      };
    },
  });
  const log = createSimulatedLog({
    ...{ world, logger, mutant, partitions: random.int(1, 3) },
    faults: () => ({ ...lost(), doubled: fault(), zombie: fault(0.5) }),
  });
  const oracle = createOracle(world, log);
  const providers = createProviders({
    ...{ world, roughness: () => fault(rough * 4) },
    onMint: () => oracle.minted(currentRequest()),
    onRevoked: (given) => oracle.revoked(given),
  });
  const jobs = drawJobs(random.fork('jobs'), dawnMs + 1000);
  const lives = new Map<number, Life>();
  const brokers = new Map<Life, SimulatedBroker>();

  /** Which jobs and runs have ended, as GitHub answers. */
  const whichEndedFor =
    (life: Life): SweepParts['whichEnded'] =>
    (asked) =>
      world.operate(life, `which of ${asked.length} have ended`, async () => {
        const hasAnswer = () => !world.random.chance(fault(rough * 4));
        const isOver = ({ run: { id, attempt } }: Parameters<SweepParts['whichEnded']>[0][number]['look']['job']) =>
          (jobs.find((one) => one.run === id && one.attempt === attempt)?.endMs ?? Number.POSITIVE_INFINITY) <=
          world.nowMs();
        return new Set(asked.filter(({ look }) => hasAnswer() && isOver(look.job)).map(({ look }) => look.id));
      });

  function begin(place: number): void {
    const life = world.begin(`broker-${place}`);
    lives.set(place, life);
    const of = {
      db: database.openFor(life),
      stream: log.openFor(life),
      logger,
      providers,
      whichEnded: whichEndedFor(life),
    };
    const policies = () => {
      const asked = currentRequest();
      if (asked === undefined) return state.policies;
      if (!looked.has(asked)) state.onLook?.(looked.add(asked).size);
      if (!mutant?.readsPoliciesOnce) return state.policies;
      state.mutated = true;
      asked.policies ??= state.policies;
      return asked.policies as typeof state.policies;
    };
    world
      .within(life, () => startBroker(life, { ...of, policies }))
      .then(
        (broker) => void brokers.set(life, broker),
        () => end(place),
      );
  }
  function end(place: number): void {
    const life = lives.get(place);
    if (life === undefined) return;
    lives.delete(place);
    brokers.delete(life);
    world.crash(life);
    database.forget(life);
  }
  return Object.assign(state, {
    ...{ world, database, log, oracle, providers, jobs, lives, brokers, server, end },
    producer: log.openFor(world.begin('producer')),
    unacknowledged: 0,
    /** What is to happen when. */
    agenda: [] as { atMs: number; act: () => unknown }[],
    tokens: 0,
    places: random.pick([1, 2, 2, 2]),
    calamity: random.pick([0, 0.003, 0.01, 0.03]),
    beginAll() {
      for (let place = 0; place < this.places; place += 1) if (!lives.has(place)) begin(place);
    },
    fell(fallen: Life | undefined, error: unknown): void {
      if (fallen === undefined) throw error;
      for (const [place, life] of lives) if (life === fallen) end(place);
    },
    isMutated: () => database.isMutated() || log.isMutated() || state.mutated,
  });
}

const later = (stage: Stage, atMs: number, act: () => unknown) => void stage.agenda.push({ atMs, act });

/** What befalls each job, by its own times. */
function plan(stage: Stage): void {
  const { jobs, world, oracle, server } = stage;
  for (const job of jobs) {
    later(stage, job.toldMs, () => tell(stage, job));
    for (const atMs of job.asksMs) later(stage, atMs, () => ask(stage, job, 4));
    if (job.endToldMs !== null) later(stage, job.endToldMs, () => tellEnd(stage, job));
    if (job.incidentMs !== null)
      later(stage, job.incidentMs, async () => {
        await recordFindings(server.db, [incidentOf(job, world.nowMs())]);
        oracle.incidentOpened(job.run);
      });
  }
  if (!world.random.chance(0.5)) return;
  const change = (to: keyof typeof inForce) => () => {
    stage.policies = inForce[to];
    oracle.policiesAre(to === 'given');
  };
  const narrow = (atMs: number) => {
    later(stage, atMs, change('narrowed'));
    later(stage, atMs + world.random.int(1, 60_000), change('given'));
  };
  if (world.random.chance(0.5)) narrow(dawnMs + world.random.int(0, 20_000));
  else {
    // Between two looks of a request at what is in force.
    const nth = world.random.int(1, 10);
    stage.onLook = (count) => {
      if (count === nth) narrow(world.nowMs());
    };
  }
}

/** The detector tells of a run all its jobs, whose first may be told of before the next attempt is. */
async function tell({ server, jobs, world }: Stage, job: Job): Promise<void> {
  const told = jobs.filter(({ run, toldMs }) => run === job.run && toldMs <= world.nowMs());
  await server.db.pool.query(
    `INSERT INTO known_runs VALUES ('acme', $1, $2, now()) ON CONFLICT (workspace, run) DO UPDATE SET jobs = excluded.jobs`,
    [runKeyOf(job), JSON.stringify(told.map(loggedOf))],
  );
}

/** What tells of an end does not forget it: it is appended until the log acknowledges it. */
function tellEnd(stage: Stage, job: Job): void {
  stage.unacknowledged += 1;
  const records = (['taskrun', 'pipelinerun'] as const).map((what) => endOf(job, what, job.endMs!));
  const append = (): Promise<void> =>
    stage.producer.append(records).then(() => {
      stage.unacknowledged -= 1;
    }, append);
  void append();
}

/** Asks at one broker, or with the same token at another too; and again where no answer came or it may help. */
function ask(stage: Stage, job: Job, tries: number): void {
  const { world, brokers, oracle } = stage;
  const { random } = world;
  const again = (afterMs: number) => {
    if (tries > 1 && stage.isRough) later(stage, world.nowMs() + afterMs, () => ask(stage, job, tries - 1));
  };
  const ready = [...brokers];
  if (ready.length === 0) {
    again(1000);
    return;
  }
  stage.tokens += 1;
  const token = String(stage.tokens);
  const workload = workloadOf(job, token, world.nowMs());
  let isAnswered = false;
  const show = ([life, broker]: [Life, SimulatedBroker]) => {
    const nowMs = world.nowMs();
    const asked: Asked = { job, askedMs: nowMs, grant: undefined, intendedStep: undefined, policies: undefined };
    oracle.asked(asked);
    const answered = world.within(life, () => withinRequest(asked, () => broker.ask(workload, job.policy)));
    answered.then(
      ({ status, body }) => {
        isAnswered = true;
        world.trace(`  ${life.name} answers job ${job.run}/${job.attempt} ${status} ${reasonIn(body)}`);
        if (status !== 201) return status === 410 || status === 409 ? undefined : again(random.int(500, 3000));
        const given = body as { grant: string; github?: { token: string }; vault?: { token: string } };
        const values = [given.github?.token, given.vault?.token].filter((value) => value !== undefined);
        oracle.handedOut(asked, { grant: given.grant, values, token });
        // Lost on its way to the job, which asks again.
        if (random.chance(0.1)) return again(500);
        if (job.givesBack) later(stage, world.nowMs() + random.int(0, 3000), () => giveBack(stage, job, given.grant));
      },
      () => again(random.int(500, 3000)),
    );
  };
  show(random.pick(ready));
  // Whoever took it shows the same token again, at once or soon after.
  if (random.chance(0.2))
    later(stage, world.nowMs() + random.pick([0, 0, 500, 1500]), () => {
      const those = [...brokers];
      if (those.length > 0) show(random.pick(those));
    });
  later(stage, world.nowMs() + 45_000, () => isAnswered || again(1));
}

const reasonIn = (body: object): string => (body as { error?: { reason: string } }).error?.reason ?? '';

function giveBack({ world, brokers, oracle, ...stage }: Stage, job: Job, grant: string): void {
  const ready = [...brokers];
  if (ready.length === 0) return;
  const [life, broker] = world.random.pick(ready);
  oracle.givenBack(job);
  const workload = workloadOf(job, `9${stage.tokens}${grant.length}${job.nth}`, world.nowMs());
  world.within(life, () => broker.giveBack(workload, grant)).catch(noop);
}

function incidentOf(job: Job, atMs: number): Finding {
  const time = new Date(atMs).toISOString();
  const subject = `acme/api#${job.run}`;
  return {
    id: createHash('sha256').update(`${subject} ${job.nth}`).digest('hex'),
    ...{ rule: 'privilege-grant-outside-job', subject, workspace: 'acme', occasion: String(job.nth) },
    ...{ severity: 'critical', confidence: 'high', title: `Finding ${subject}`, summary: 'It should not be.' },
    ...{ decidingEvent: 'event', occurredAt: time, detectedAt: time, evidence: [], response: [], remedy: [] },
    entities: [{ kind: 'run', id: subject, key: runKeyOf(job) }],
    ...{ silence: '', attack: ['T1078'], attackVersion, owasp: ['CICD-SEC-1'] },
  };
}

async function playRough(stage: Stage): Promise<void> {
  const { world, agenda } = stage;
  const { random } = world;
  plan(stage);
  stage.beginAll();
  const lastMs = Math.max(...stage.jobs.flatMap(({ endToldMs, asksMs }) => [endToldMs ?? 0, ...asksMs])) + 20_000;
  while (world.nowMs() < lastMs || stage.unacknowledged > 0) {
    const due = agenda.filter(({ atMs }) => atMs <= world.nowMs());
    for (const one of due) {
      agenda.splice(agenda.indexOf(one), 1);
      await one.act();
    }
    befall(stage);
    if (random.chance(0.95) && (await world.step())) continue;
    await noneLivesBeyond(stage);
    const nextMs = Math.min(world.nowMs() + random.pick([20, 200, 1000]), ...agenda.map(({ atMs }) => atMs));
    await world.advanceTo(Math.max(nextMs, world.nowMs() + 1));
  }
}

/** What may happen to brokers at any moment. */
function befall(stage: Stage): void {
  const { world, lives, calamity, log } = stage;
  const { random } = world;
  if (random.chance(0.05)) stage.beginAll();
  if (random.chance(0.01)) log.bury(1);
  if (lives.size === 0 || !random.chance(calamity)) return;
  const place = random.pick([...lives.keys()]);
  const life = lives.get(place)!;
  const what = random.pick(['crash', 'rebalance', 'freeze', 'clock'] as const);
  if (what === 'crash') {
    stage.crashes += 1;
    stage.end(place);
  }
  if (what === 'crash' || what === 'rebalance') for (const group of log.groups()) log.rebalance(group);
  if (what === 'freeze') life.frozenUntilMs = world.nowMs() + random.int(1, 60_000);
  if (what === 'clock') life.skewMs = random.pick([0, 5000, -5000, mostSkewMs, -mostSkewMs]);
}

/** The job's lock: as far as Postgres knows, nothing is live whose end is noted, or whose grant ends. */
async function noneLivesBeyond({ server, oracle }: Stage): Promise<void> {
  const { rows } = await server.db.pool.query<{ key: string }>(
    `SELECT job_key AS key FROM access_grants g
     WHERE EXISTS (SELECT FROM access_credentials WHERE grant_id = g.id AND state = 'live')
     AND (ending_at IS NOT NULL
       OR EXISTS (SELECT FROM access_ends WHERE key = g.run_key OR (key = g.job_key AND g.until = 'job')))`,
  );
  for (const { key } of rows) oracle.problems.add(`${key}: live, and its end is noted`);
}

/**
 * Nothing fails any more, everybody is there, clocks are right, and time goes on: two minutes later all is dead whose end was told, after
 * the sweeps all whose job ended, and at last everything.
 */
async function playQuiet(stage: Stage): Promise<void> {
  const { world, log, oracle, providers, server } = stage;
  stage.isRough = false;
  stage.beginAll();
  for (const life of world.lives()) Object.assign(life, { frozenUntilMs: 0, skewMs: 0 });
  log.bury();
  for (const group of log.groups()) log.rebalance(group);
  const pass = async (times: number, pauseMs: number) => {
    for (let nth = 0; nth < times; nth += 1) {
      await world.advanceTo(world.nowMs() + pauseMs);
      stage.beginAll();
      while (await world.step());
    }
  };
  await pass(30, 5000);
  await noneLivesBeyond(stage);
  oracle.mustBeDead(providers, { which: 'told', recorded: await recordedOf(server) });
  await pass(30, 15_000);
  oracle.mustBeDead(providers, { which: 'ended', recorded: await recordedOf(server) });
  await pass(24, 60_000);
}

/** At last all that was given is dead, and the log tells of it. */
async function judge(stage: Stage): Promise<Simulated> {
  const { world, oracle, providers, server } = stage;
  const recorded = await recordedOf(server);
  oracle.mustBeDead(providers, { which: 'all', recorded });
  oracle.mustBeTold(providers, recorded);
  const { rows } = await server.db.pool.query(
    `SELECT state, count(*)::int FROM access_credentials WHERE state NOT IN ('dead', 'lost') GROUP BY state`,
  );
  for (const { state, count } of rows) oracle.problems.add(`${count} credentials were left ${state}`);
  const differences: Difference[] =
    oracle.problems.size === 0 ? [] : [{ what: 'what was given', expected: [], actual: [...oracle.problems] }];
  return {
    differences,
    counts: {
      requests: oracle.requests.length,
      minted: providers.all.size,
      steps: world.steps(),
      crashes: stage.crashes,
    },
    isMutated: stage.isMutated(),
  };
}

/** SHA-256 of all that was recorded as minted. */
async function recordedOf({ db }: Server): Promise<Set<string>> {
  const { rows } = await db.pool.query<{ hash: string }>(
    'SELECT token_hash AS hash FROM access_credentials WHERE token_hash IS NOT NULL',
  );
  return new Set(rows.map(({ hash }) => hash));
}

const noop = () => {};
