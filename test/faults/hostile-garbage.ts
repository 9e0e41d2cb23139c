import { createHash } from 'node:crypto';
import { fromEventRecord, toEventRecord } from '@tripline/contracts/event-record';
import { createEngine } from '@tripline/engine/engine';
import { configureRule } from '@tripline/engine/settings';
import { rules } from '@tripline/rules/registry';
import { github } from '@tripline/sources/github/source';
import { signGithub } from '@tripline/sources/github/verify';
import { refusalReasons } from '@tripline/sources/refusal';
import { ignoredReasons } from '@tripline/sources/source';
import { createWorkspaces } from '@tripline/sources/workspace';
import { type StreamRecord, topics } from '@tripline/stream/stream';
import { createKept, runBatch } from '@tripline/testing/timeline/play';
import { createRandom } from '../simulation/random.ts';
import type { Fault, FaultOutcome, Ground } from './fault.ts';
import { type Garbage, garbage } from './garbage-bodies.ts';
import { startVictimReceiver } from './hostile-receiver.ts';

/**
 * Signed garbage: whoever has the webhook's secret may send anything. Each body goes through verification,
 * normalisation, the record's form and the engine with every rule; one of `overHttpEvery` also over HTTP to a receiver
 * of its own process. Nothing throws, nothing is answered 5xx, no prototype changes, no rule is handed what it cannot
 * judge, and nothing comes out that Postgres could not keep.
 */
export const garbageFault: Fault = {
  name: 'garbage',
  what: 'signed garbage: bytes, wrong shapes, prototypes, a million keys, mutated examples',
  sizes: { ci: 5_000, full: 1_000_000, unit: 'bodies' },
  run,
};

const secret = 'the secret that leaked';
const overHttpEvery = 40;
const batchRecords = 500;
const recordsAnEngine = 20_000;
const startMs = Date.parse('2026-05-01T12:00:00Z');
const outcomes = new Set<string>([...ignoredReasons, ...refusalReasons]);
const workspaces = createWorkspaces({ workspaces: [], drills: true });

async function run(ground: Ground, size: number): Promise<FaultOutcome> {
  const differences: string[] = [];
  const differs = (text: string) => {
    if (differences.length < 50) differences.push(text);
  };
  const prototypesBefore = prototypes();
  const random = createRandom(4711);
  const judge = createJudge(differs);
  const counts = new Map<string, number>();
  const victim = await startVictimReceiver(ground, { secret });
  let slowestMs = 0;
  let overHttp = 0;
  try {
    for (let place = 0; place < size; place += 1) {
      const made = garbage(random, place);
      const before = process.cpuUsage();
      const outcome = await offer(made, place, judge, differs);
      slowestMs = Math.max(slowestMs, process.cpuUsage(before).user / 1000);
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      if (place % overHttpEvery === 0 || place % 20_000 < 60) {
        overHttp += 1;
        const status = await victim.post(made.event, made.body, { 'x-github-delivery': `garbage-${place}` });
        if (status < 200 || status >= 500) differs(`${describe(made, place)}: answered ${status}`);
        if (outcome === 'kept' && status !== 202)
          differs(`${describe(made, place)}: kept in the process, answered ${status}`);
      }
      if (place % 100_000 === 99_999) ground.say(`${place + 1} bodies`);
    }
    judge.end();
    if ((await victim.honest()) !== 202) differs('an honest delivery is not taken afterwards');
    const residentMb = victim.residentMb();
    for (const [name, now] of Object.entries(prototypes())) {
      if (now !== prototypesBefore[name]) differs(`${name} was changed`);
    }
    return {
      size: `${size} bodies, ${overHttp} of them over HTTP too`,
      compared:
        'every outcome with the named ones; every event with its schema and all rules; prototypes before and after',
      differences,
      figure: `kept ${counts.get('kept') ?? 0}, slowest ${Math.round(slowestMs)} ms of CPU, receiver at most ${residentMb} MB`,
    };
  } finally {
    await victim.close();
  }
}

async function offer(
  made: Garbage,
  place: number,
  judge: ReturnType<typeof createJudge>,
  differs: (text: string) => void,
): Promise<string> {
  try {
    const headers = {
      'x-github-event': made.event,
      'x-github-delivery': `garbage-${place}`,
      'x-hub-signature-256': signGithub(made.body, secret),
    };
    const verified = github.verify(made.body, headers, [{ secret, secretScope: { kind: 'anybody' } }], startMs);
    if ('refusal' in verified) differs(`${describe(made, place)}: refused unread`);
    const bodySha256 = createHash('sha256').update(made.body).digest('hex');
    const delivery = {
      headers,
      rawBody: made.body,
      bodySha256,
      receivedAtMs: startMs,
      secretScope: { kind: 'anybody' } as const,
    };
    const normalised = github.normalise(delivery, workspaces);
    if ('event' in normalised) {
      judge.take(toEventRecord(normalised.event), made, place);
      return 'kept';
    }
    if ('events' in normalised) throw new Error('a body of GitHub tells one event');
    const reason = 'ignored' in normalised ? normalised.ignored : normalised.refusal.reason;
    if (!outcomes.has(reason)) differs(`${describe(made, place)}: ${reason} is no reason`);
    return reason;
  } catch (error) {
    differs(`${describe(made, place)}: ${(error as Error).stack}`);
    return 'thrown';
  }
}

/** All rules, over all that was kept. */
function createJudge(differs: (text: string) => void) {
  const configured = rules.map((rule) => configureRule(rule));
  let memory = createKept();
  let engine = createEngine({ rules: configured, learningDays: 0 }, memory.snapshot());
  let waiting: StreamRecord[] = [];
  let offset = 0;

  function flush(): void {
    try {
      const effects = runBatch(engine, { records: waiting, caughtUpAtMs: null }, memory.read);
      for (const { rule, reason } of effects.poison)
        differs(`rule ${rule ?? 'none'} was handed what it cannot judge: ${reason}`);
      // A joined key has NULs between its parts; of it only the hash is kept.
      const kept = (name: string, value: unknown) => (name === 'joined' ? undefined : value);
      const said = JSON.stringify([effects.verdicts, effects.state, effects.timers, effects.lookUps], kept);
      if (said.includes('\\u0000')) differs('effects hold a NUL, which Postgres does not take');
      if (!said.isWellFormed() || /\\ud[89a-f]/.test(said))
        differs('effects hold half a code point, which Postgres does not take');
      memory.keep(effects);
      engine.commit();
    } catch (error) {
      differs(`the engine threw: ${(error as Error).stack}`);
      engine = createEngine({ rules: configured, learningDays: 0 }, memory.snapshot());
    }
    waiting = [];
  }

  return {
    take(record: ReturnType<typeof toEventRecord>, made: Garbage, place: number): void {
      const appendedAtMs = startMs + offset * 20;
      fromEventRecord(record, { partition: 0, offset, appendedAtMs }, { checkWhole: true });
      const envelope = JSON.stringify([record.key, record.headers]);
      if (/\\u0000|\\ud[89a-f]/.test(envelope)) differs(`${describe(made, place)}: its headers cannot be kept`);
      waiting.push({ ...record, topic: topics.events, partition: 0, offset, appendedAtMs });
      offset += 1;
      if (waiting.length === batchRecords) flush();
      if (offset % recordsAnEngine === 0) {
        flush();
        memory = createKept();
        engine = createEngine({ rules: configured, learningDays: 0 }, memory.snapshot());
      }
    },
    end: flush,
  };
}

function describe({ kind, event, body }: Garbage, place: number): string {
  return `body ${place} (${kind}, ${event}, ${body.length} bytes)`;
}

/** What the built-in prototypes have, by name. */
function prototypes(): Record<string, string> {
  const all = { Object, Array, String, Number, Boolean, Function, Map, Set, Date, Promise, RegExp, Error, Buffer };
  return Object.fromEntries(
    Object.entries(all).map(([name, { prototype }]) => [
      `${name}.prototype`,
      Reflect.ownKeys(prototype).map(String).join(),
    ]),
  );
}
