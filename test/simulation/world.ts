import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '@tripline/runtime/clock';
import type pg from 'pg';
import type { Random } from './random.ts';

/** One run of one process, from its start to its crash. What it does after its crash happens nowhere. */
export type Life = {
  name: string;
  alive: boolean;
  /** Stopped, as by SIGSTOP: nothing of it happens until then, by the world's time. */
  frozenUntilMs: number;
  /** How far its clock is off, ms. */
  skewMs: number;
  random: Random;
  world: World;
  /** What it gets as a pool of connections to Postgres. */
  openPool?: () => pg.Pool;
};

/** Something outside of the process that it waits for: a query, an append, a request, a batch. */
type Operation = {
  life: Life;
  what: string;
  /** Whether it can be carried out now; always when absent. */
  isReady?: (() => boolean) | undefined;
  /** Carries it out as far as it goes now, and settles what waits for it, now or later. Never rejects. */
  carryOut: () => Promise<void>;
};

type Timer = { life: Life; dueMs: number; order: number; everyMs: number | null; fire: () => void };

export type World = ReturnType<typeof createWorld>;

/** Whose code is running: every promise that a process waits for carries it on. */
const current = new AsyncLocalStorage<Life>();
export const currentLife = (): Life | undefined => current.getStore();

const realSetImmediate = globalThis.setImmediate;
const turn = () => new Promise<void>((resolve) => realSetImmediate(resolve));

/**
 * Time, order and processes under one seed. Processes run real code; whatever they wait for is an operation here, of which one at a time is carried out, chosen by chance, and only when
 * nothing else can run. So no two things ever race, and the same seed does the same again.
 */
export function createWorld(options: { random: Random; startMs: number; trace: (line: string) => void }) {
  const { random, trace } = options;
  const lives = new Set<Life>();
  let operations: Operation[] = [];
  let timers: Timer[] = [];
  let nowMs = options.startMs;
  let order = 0;
  let stirred = false;
  let steps = 0;

  const isAwake = (life: Life) => life.alive && life.frozenUntilMs <= nowMs;

  function begin(name: string, skewMs = 0): Life {
    const life: Life = { name, alive: true, frozenUntilMs: 0, skewMs, random: random.fork(`${name} ${order}`), world };
    lives.add(life);
    return life;
  }

  /** Ends a life at once; `onEnd` hears of it. */
  function crash(life: Life): void {
    life.alive = false;
    lives.delete(life);
    operations = operations.filter((operation) => operation.life !== life);
    timers = timers.filter((timer) => timer.life !== life);
    trace(`${at()} ${life.name} crashes`);
  }

  /** Waits until nothing can run any more without an operation being carried out. */
  async function settle(): Promise<void> {
    do {
      stirred = false;
      await turn();
    } while (stirred || process.getActiveResourcesInfo().some((resource) => resource.startsWith('FSReq')));
  }

  /** Leaves an operation to be carried out; resolves or rejects with what `act` does, unless its process is gone by then. */
  function operate<T>(life: Life, what: string, act: () => Promise<T>, isReady?: () => boolean): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!life.alive) return;
      stirred = true;
      const carryOut = () =>
        act().then(
          (value) => void (life.alive && resolve(value)),
          (error) => void (life.alive && reject(error)),
        );
      operations.push({ life, what, isReady, carryOut });
    });
  }

  function setTimer(life: Life, afterMs: number, fire: () => void, everyMs: number | null = null): Timer {
    order += 1;
    stirred = true;
    const timer = { life, dueMs: nowMs + Math.max(0, afterMs || 0), order, everyMs, fire };
    if (life.alive) timers.push(timer);
    return timer;
  }
  function clearTimer(timer: Timer): void {
    timers = timers.filter((other) => other !== timer);
  }

  /** Carries out one operation of those that can be; false when there is none. */
  async function step(): Promise<boolean> {
    await settle();
    const ready = operations.filter(({ life, isReady }) => isAwake(life) && (isReady?.() ?? true));
    if (ready.length === 0) return false;
    const operation = random.pick(ready);
    operations.splice(operations.indexOf(operation), 1);
    steps += 1;
    trace(`${at()} ${operation.life.name}: ${operation.what}`);
    await operation.carryOut();
    await settle();
    return true;
  }

  /** Moves time on and fires what is due, in order. A process that was away fires late, as one that was suspended does. */
  async function advanceTo(ms: number): Promise<void> {
    nowMs = Math.max(nowMs, ms);
    trace(`${at()} time`);
    const due = timers.filter((timer) => timer.dueMs <= nowMs && isAwake(timer.life));
    due.sort((a, b) => a.dueMs - b.dueMs || a.order - b.order);
    for (const timer of due) {
      if (!timers.includes(timer)) continue;
      if (timer.everyMs === null) clearTimer(timer);
      else timer.dueMs = nowMs + timer.everyMs;
      current.run(timer.life, timer.fire);
      await settle();
    }
  }

  const at = () => `+${((nowMs - options.startMs) / 1000).toFixed(3)}`;
  const world = {
    begin,
    crash,
    operate,
    setTimer,
    clearTimer,
    step,
    advanceTo,
    settle,
    random,
    trace,
    /** Runs code as that of `life`. */
    within: <T>(life: Life, work: () => T): T => current.run(life, work),
    nowMs: () => nowMs,
    steps: () => steps,
    lives: () => [...lives],
    /** When the next timer of a living process is due; infinity when none is. */
    nextDueMs: () => Math.min(...timers.map(({ dueMs }) => dueMs)),
    waiting: () => operations.map(({ life, what }) => `${life.name}: ${what}`),
  };
  return world;
}

/** The clock of one process. */
export function clockOf(life: Life): Clock {
  const { world } = life;
  return {
    nowMs: () => world.nowMs() + life.skewMs,
    pause: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const timer = world.setTimer(life, ms, done);
        function done() {
          world.clearTimer(timer);
          signal?.removeEventListener('abort', done);
          resolve();
        }
        signal?.addEventListener('abort', done);
      }),
  };
}
