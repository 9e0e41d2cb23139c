import { acknowledge, listIncidents } from '@tripline/incidents/incidents';
import { createLogger } from '@tripline/runtime/logger';
import type { NewRecord } from '@tripline/stream/stream';
import { type ExpectedOutcome, reckon } from '../oracle/oracle.ts';
import { checkActs, checkDetector, checkTrail } from './check.ts';
import { checkRemediator, checkTold } from './check-sinks.ts';
import { createSimulatedDatabase, type Server } from './database.ts';
import { createSimulatedLog } from './log.ts';
import { clean, type Simulated, type SimulateOptions, withinSimulation } from './playing.ts';
import { createRandom, type Random } from './random.ts';
import { config, type Role, rules, start } from './services.ts';
import { createSinks } from './sinks.ts';
import { type Arrival, dawnMs, type WorkloadShape, weave } from './workload.ts';
import { createWorld, type Life } from './world.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Which processes there are. The sinks' own are many queries, so not every seed has them. */
const casts: readonly (readonly Role[])[] = [
  ['detector'],
  ['detector', 'detector'],
  ['detector', 'detector', 'recorder'],
  ['detector', 'detector', 'recorder'],
  ['detector', 'publisher', 'publisher', 'recorder'],
  ['detector', 'notifier', 'notifier'],
  ['detector', 'detector', 'notifier', 'remediator'],
];

type Stage = ReturnType<typeof build>;

/** Plays one seed: timelines, faults and crashes, then quiet, then the comparison with the oracle. */
export async function simulate(seed: number, server: Server, options: SimulateOptions = {}): Promise<Simulated> {
  await clean(server);
  const stage = build(createRandom(seed), server, options);
  return withinSimulation(
    async () => {
      await playRough(stage);
      await playQuiet(stage);
      return await judge(stage, server);
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
  const world = createWorld({ random: random.fork('world'), startMs: dawnMs - 1000, trace: options.trace ?? noop });
  const logger = createLogger(
    { service: 'simulation', level: options.log ? 'warn' : 'silent' },
    { write: options.log ?? noop },
  );
  const roles = random.pick(casts);
  const arrivals = weave(random.fork('workload'), shapeOf(random));
  const rough = random.pick([0, 0.004, 0.02, 0.06]);
  const stage = { isRough: true, crashes: 0 };
  const fault = (probability = rough) => (stage.isRough ? probability : 0);
  const lost = () => ({ lostBefore: fault(), lostAfter: fault() });
  const database = createSimulatedDatabase({ server, world, faults: lost, mutant: options.mutant });
  const log = createSimulatedLog({
    world,
    partitions: random.int(1, 3),
    faults: () => ({ ...lost(), doubled: fault(), zombie: fault(0.5) }),
    logger,
    mutant: options.mutant,
  });
  const sinks = createSinks({
    world,
    invitations: allOf('tripline.grant.id', /^\d+$/, arrivals),
    collaborators: allOf('tripline.grant.grantee', /./, arrivals),
    accounts: accountsOf(arrivals),
    repositories: repositoriesOf(arrivals),
    roughness: () => fault(rough * 5),
  });
  const skewMs = roles.includes('notifier') ? 0 : random.pick([0, dayMs, -dayMs]);
  // Small, so that a short log's state is merged more than once.
  const state = {
    memtableBytes: random.pick([1000, 20_000]),
    blockBytes: 1000,
    blocksPerGroup: random.pick([1, 4]),
    blockCacheBytes: 4000,
  };
  const lives = new Map<number, Life>();

  function begin(place: number): void {
    const life = world.begin(`${roles[place]}-${place}`, skewMs);
    lives.set(place, life);
    const parts = { db: database.openFor(life), stream: log.openFor(life), logger, state, fetch: sinks.fetchOf(life) };
    // A process that cannot start ends, and is started anew.
    world.within(life, () => start[roles[place]!](parts, life)).catch(() => end(place));
  }
  function end(place: number): void {
    const life = lives.get(place);
    if (life === undefined) return;
    lives.delete(place);
    world.crash(life);
    database.forget(life);
  }
  return Object.assign(stage, {
    world,
    database,
    log,
    sinks,
    roles,
    arrivals,
    lives,
    end,
    fell(fallen: Life | undefined, error: unknown): void {
      if (fallen === undefined) throw error;
      for (const [place, life] of lives) if (life === fallen) end(place);
    },
    /** Starts whatever is not there. */
    beginAll() {
      for (const place of roles.keys()) if (!lives.has(place)) begin(place);
    },
    rebalance() {
      for (const group of log.groups()) log.rebalance(group);
    },
    /** How often a process crashes, freezes or loses its partitions, a step. */
    calamity: random.pick([0, 0.002, 0.01]),
  });
}

/** Sends what has arrived by now to the log until it is acknowledged; so the log may hold it twice. */
function createProducer({ world, log, arrivals }: Stage) {
  const stream = log.openFor(world.begin('producer'));
  let sent = 0;
  let unacknowledged = 0;
  return {
    nextMs: () => arrivals[sent]?.atMs,
    isDone: () => sent === arrivals.length && unacknowledged === 0,
    send(): void {
      const due = arrivals.slice(sent).filter(({ atMs }) => atMs <= world.nowMs());
      sent += due.length;
      for (let from = 0; from < due.length; from += 8) {
        const records = due.slice(from, from + 8).map(({ record }): NewRecord => record);
        unacknowledged += 1;
        const append = (): Promise<void> =>
          stream.append(records).then(() => {
            unacknowledged -= 1;
          }, append);
        void append();
      }
    },
  };
}

/** Acknowledges some open incident. What the log means must not hang on that, nor on when. */
function createPerson({ world, database }: Stage) {
  const db = database.openFor(world.begin('person'));
  const ada = { via: 'cli', id: 'ada', name: 'ada' } as const;
  const acknowledgeOne = async () => {
    const incidents = await listIncidents(db, { limit: 10 });
    const open = incidents.filter(({ state }) => state === 'open');
    if (open.length > 0) await acknowledge(db, world.random.pick(open).id, ada);
  };
  // Who is refused, or finds no database, has done nothing.
  return { act: () => void acknowledgeOne().catch(noop) };
}

async function playRough(stage: Stage): Promise<void> {
  const { world } = stage;
  const { random } = world;
  const producer = createProducer(stage);
  const person = createPerson(stage);
  // What people are told of an acknowledgement is the notifier's own tests' to say.
  const actChance = stage.roles.some(isTelling) ? 0 : stage.roles.includes('publisher') ? 0.05 : 0.01;
  stage.beginAll();
  while (!producer.isDone()) {
    producer.send();
    befall(stage);
    if (random.chance(actChance)) person.act();
    if (random.chance(0.9) && (await world.step())) continue;
    const nowMs = world.nowMs();
    const nextMs = producer.nextMs() ?? nowMs + 500;
    await world.advanceTo(random.chance(0.3) ? Math.min(nextMs, nowMs + random.int(10, 2000)) : nextMs);
  }
}

/** What may happen to processes at any moment. */
function befall(stage: Stage): void {
  const { world, lives, calamity, log } = stage;
  const { random } = world;
  if (random.chance(0.05)) stage.beginAll();
  if (random.chance(0.01)) log.bury(1);
  if (lives.size === 0) return;
  const place = random.pick([...lives.keys()]);
  const what = random.chance(calamity * 3) ? random.pick(['crash', 'rebalance', 'freeze']) : 'nothing';
  if (what === 'crash') {
    stage.crashes += 1;
    stage.end(place);
  }
  if (what === 'crash' || what === 'rebalance') stage.rebalance();
  if (what === 'freeze' && !isTelling(stage.roles[place]!)) {
    lives.get(place)!.frozenUntilMs = world.nowMs() + random.int(1, 60_000);
  }
}

/** A sink cannot be fenced: what was stopped between looking and sending would send what is no longer so. */
const isTelling = (role: Role) => role === 'notifier' || role === 'remediator';

/** Nothing fails any more, everybody is there, and time goes on until nothing is due. */
async function playQuiet(stage: Stage): Promise<void> {
  const { world, log } = stage;
  stage.isRough = false;
  stage.beginAll();
  for (const life of world.lives()) life.frozenUntilMs = 0;
  log.bury();
  stage.rebalance();
  const tells = stage.roles.some(isTelling);
  const soon = tells ? Array.from({ length: 40 }, () => 1500) : [1000, 5000];
  const pauses = [0, ...soon, 15_000, 60_000, 600_000, hourMs, 5 * hourMs, dayMs, 3 * dayMs, 10 * dayMs];
  for (const pauseMs of [...pauses, ...soon, ...(tells ? [60_000, 600_000, 5 * hourMs, 5000] : [])]) {
    await world.advanceTo(world.nowMs() + pauseMs);
    stage.beginAll();
    while (await world.step());
  }
}

async function judge(
  { world, database, log, sinks, roles, arrivals, crashes }: Stage,
  { db }: Server,
): Promise<Simulated> {
  const outcome: ExpectedOutcome = reckon(
    log.events().map((records, partition) => ({ partition, records, untilMs: world.nowMs() })),
    { rules: rules.map((rule) => ({ rule })), learningDays: config.learningDays, imports: true },
  );
  const differences = await checkDetector(db, outcome, {
    deadLetters: log.deadLetters(),
    jobs: !roles.some(isTelling),
  });
  if (roles.includes('recorder')) differences.push(...(await checkTrail(db, log.events())));
  differences.push(...(await checkActs(db, log.events(), roles.includes('publisher'))));
  if (roles.includes('notifier')) differences.push(...(await checkTold(db, outcome, sinks)));
  if (roles.includes('remediator')) differences.push(...(await checkRemediator(db, sinks)));
  const { length: events } = arrivals;
  const isMutated = database.isMutated() || log.isMutated();
  const counts = { events, findings: outcome.findings.size, steps: world.steps(), crashes };
  return { differences, counts, isMutated };
}

function shapeOf(random: Random): WorkloadShape {
  return {
    timelines: random.int(1, 4),
    workspaces: random.int(1, 3),
    spanMs: random.pick([10_000, 600_000, 30 * hourMs]),
    duplicates: random.pick([0, 0.1, 0.5, 1]),
    repeats: random.pick([0, 0.1, 0.5]),
    lateness: random.pick([0, 0.1, 0.5]),
    latestMs: random.pick([60_000, 6 * hourMs, 71 * hourMs]),
    poison: random.pick([0, 0.05]),
    audits: random.pick([0, 0.5, 1]),
  };
}

/** What a workload tells of by an attribute, each once. */
function allOf(attribute: string, like: RegExp, arrivals: readonly Arrival[]): string[] {
  const told = new RegExp(`"${attribute}":"([^"]+)"`, 'g');
  const values = arrivals.flatMap(({ record }) =>
    [...record.value.toString().matchAll(told)].map(([, value]) => value!),
  );
  return [...new Set(values.filter((value) => like.test(value)))];
}

/** Logins by id, of everybody whom an event names first by it. */
function accountsOf(arrivals: readonly Arrival[]): Map<string, string> {
  return toldTogether(arrivals, /"user\.id":"(\d+)"/, /"user\.name":"([^"]+)"/);
}

/** Ids of repositories by the name under which an event names each first. */
function repositoriesOf(arrivals: readonly Arrival[]): Map<string, string> {
  return toldTogether(arrivals, /"vcs\.repository\.name":"([^"]+)"/, /"vcs\.repository\.id":"(\d+)"/);
}

/** What the first event tells by `of` that tells one by `key`, for each. */
function toldTogether(arrivals: readonly Arrival[], key: RegExp, of: RegExp): Map<string, string> {
  const told = new Map<string, string>();
  for (const { record } of arrivals) {
    const said = record.value.toString();
    const [, name] = key.exec(said) ?? [];
    const [, value] = of.exec(said) ?? [];
    if (name !== undefined && value !== undefined && !told.has(name)) told.set(name, value);
  }
  return told;
}

const noop = () => {};
