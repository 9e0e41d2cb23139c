import { subtle } from 'node:crypto';
import pg from 'pg';
import { clockOf, currentLife, type Life } from './world.ts';

/**
 * What code takes from the platform without asking for it: timers, chance and the time. Within a simulated
 * process they are the world's; everywhere else they stay what they are.
 */
const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  timeout: AbortSignal.timeout,
  now: Date.now,
  chance: Math.random,
  importKey: subtle.importKey,
  sign: subtle.sign,
  Pool: pg.Pool,
};

/** As Node's own timers are used: some are told not to keep the process alive. */
class SimulatedTimeout {
  readonly life: Life;
  readonly timer: ReturnType<Life['world']['setTimer']>;
  constructor(life: Life, fire: () => void, ms: number, isRepeated: boolean) {
    this.life = life;
    this.timer = life.world.setTimer(life, ms, fire, isRepeated ? Math.max(1, ms) : null);
  }
  ref = () => this;
  unref = () => this;
  hasRef = () => false;
  clear = () => this.life.world.clearTimer(this.timer);
}

/** Puts the world's in their place. The result puts all back. */
export function simulateGlobals(): () => void {
  const start = (isRepeated: boolean, original: (...of: never[]) => unknown) =>
    ((work: (...of: unknown[]) => void, ms = 0, ...args: unknown[]) => {
      const life = currentLife();
      if (life === undefined) return (original as (...of: unknown[]) => unknown)(work, ms, ...args);
      return new SimulatedTimeout(life, () => work(...args), ms, isRepeated);
    }) as never;
  const end = (original: (timer: never) => void) =>
    ((timer: unknown) => (timer instanceof SimulatedTimeout ? timer.clear() : original(timer as never))) as never;
  globalThis.setTimeout = start(false, real.setTimeout as never);
  globalThis.setInterval = start(true, real.setInterval as never);
  globalThis.clearTimeout = end(real.clearTimeout as never);
  globalThis.clearInterval = end(real.clearInterval as never);
  AbortSignal.timeout = (ms) => {
    const life = currentLife();
    if (life === undefined) return real.timeout.call(AbortSignal, ms);
    const aborting = new AbortController();
    const reason = new DOMException('The operation was aborted due to timeout', 'TimeoutError');
    life.world.setTimer(life, ms, () => aborting.abort(reason));
    return aborting.signal;
  };
  Date.now = () => {
    const life = currentLife();
    return life === undefined ? real.now() : clockOf(life).nowMs();
  };
  Math.random = () => currentLife()?.random.next() ?? real.chance();
  // Whatever pool a simulated process opens is the simulated one.
  pg.Pool = new Proxy(real.Pool, {
    construct: (Pool, [options]: [pg.PoolConfig]) => currentLife()?.openPool?.() ?? new Pool(options),
  });
  // Signing happens on threads of its own, at times of their own; nobody checks a signature here.
  subtle.importKey = ((...of: Parameters<typeof subtle.importKey>) =>
    currentLife()
      ? Promise.resolve({} as Awaited<ReturnType<typeof subtle.importKey>>)
      : real.importKey.apply(subtle, of)) as typeof subtle.importKey;
  subtle.sign = ((...of: Parameters<typeof subtle.sign>) =>
    currentLife() ? Promise.resolve(new ArrayBuffer(256)) : real.sign.apply(subtle, of)) as typeof subtle.sign;
  return () => {
    globalThis.setTimeout = real.setTimeout;
    globalThis.setInterval = real.setInterval;
    globalThis.clearTimeout = real.clearTimeout;
    globalThis.clearInterval = real.clearInterval;
    AbortSignal.timeout = real.timeout;
    Date.now = real.now;
    Math.random = real.chance;
    subtle.importKey = real.importKey;
    subtle.sign = real.sign;
    pg.Pool = real.Pool;
  };
}
