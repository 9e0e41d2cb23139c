import { EventEmitter } from 'node:events';
import { type Db, openDatabase } from '@tripline/db/database';
import { migrate } from '@tripline/db/migrate';
import pg from 'pg';
import { isCircle } from './circle.ts';
import type { Mutant } from './mutants.ts';
import type { Life, World } from './world.ts';

/**
 * The real Postgres under the world's order and time. One statement runs at a time; one that waits for another's lock is
 * set aside until that is gone. Of several that wait, Postgres would wake all at once and let them race, so their backends
 * are stopped and go on one after the other, in the order in which they came. The server's clock is the world's: schema `simulated` has functions of the names that
 * Postgres looks up before its own.
 */
export type Server = {
  /** For what the simulation itself reads and writes: nothing fails there. */
  db: Db;
  connect: () => Promise<pg.Client>;
  observer: pg.Client;
  warm: pg.Client[];
  close: () => Promise<void>;
};

const parsers = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8
      ? Number
      : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
};

/** Makes a database of its own on a running server, whose clock stands still until the world moves it. */
export async function prepareServer(url: string, name: string): Promise<Server> {
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.query(`ALTER DATABASE ${name} SET search_path = public, simulated, pg_catalog`);
  await admin.query(`ALTER DATABASE ${name} SET deadlock_timeout = '200ms'`);
  await admin.query(`ALTER DATABASE ${name} SET synchronous_commit = off`);
  // Postgres plans anew what was asked five times on one connection: which those are hangs on the seeds before.
  await admin.query(`ALTER DATABASE ${name} SET plan_cache_mode = force_custom_plan`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  // Whatever opens it looks for the functions of time there first.
  own.searchParams.set('options', '-c search_path=public,simulated,pg_catalog');
  const connect = async () => {
    const client = new pg.Client({ connectionString: own.href, application_name: 'simulation', types: parsers });
    client.on('error', () => {});
    await client.connect();
    return client;
  };
  const observer = await connect();
  await observer.query(`
    CREATE SCHEMA simulated;
    CREATE SEQUENCE simulated.clock_ms MINVALUE 0 MAXVALUE 9000000000000 START 0;
    CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
      'SELECT to_timestamp(last_value / 1000.0) FROM simulated.clock_ms';
    CREATE FUNCTION simulated.now() RETURNS timestamptz LANGUAGE sql STABLE AS
      'SELECT to_timestamp(last_value / 1000.0) FROM simulated.clock_ms'`);
  const db = openDatabase(own.href, { applicationName: 'simulation', maxConnections: 2 });
  await migrate(db);
  // It comes at times of its own, takes locks, and decides where on the disk the next row comes to lie.
  await observer.query(`
    DO $$ DECLARE name regclass; BEGIN
      FOR name IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace IN ('public'::regnamespace, 'graphile_worker'::regnamespace)
      LOOP EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = false)', name); END LOOP;
    END $$`);
  const warm: pg.Client[] = [];
  return {
    db,
    connect,
    observer,
    warm,
    async close() {
      await db.close();
      await Promise.all([observer, ...warm].map((client) => client.end()));
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}

/** How often a statement meets a fault, and which. */
export type DatabaseFaults = { lostBefore: number; lostAfter: number };

type Statement = string | { text: string; values?: unknown[]; name?: string };
/** A connection of the server's side: it lives on when its process is gone, until the server notices. */
type Session = { client: pg.Client | undefined; inTransaction: boolean; busy: boolean };
/** A statement under way. */
type Running = { session: Session; done: Promise<void>; isDone: () => boolean };

export function createSimulatedDatabase(options: {
  server: Server;
  world: World;
  faults: () => DatabaseFaults;
  mutant?: Mutant | undefined;
  /** Hears of each statement that a process sends; what it returns is called once that is done. */
  noting?: (text: string) => (() => void) | undefined;
}) {
  const { server, world, faults, mutant, noting } = options;
  let isMutated = false;
  const held = new Map<Life, Set<Session>>();
  /** Of processes that are gone, until the server notices. */
  const abandoned = new Set<Session>();
  /** Those that wait for a lock, in the order in which they began to. */
  const blocked = new Set<Running>();
  /** Those of them whose backends are stopped at this moment. */
  const stopped = new Set<Running>();
  function stop(one: Running): void {
    stopped.add(one);
    signal(one, 'SIGSTOP');
  }
  function goOn(one: Running): void {
    stopped.delete(one);
    signal(one, 'SIGCONT');
  }
  /** The server's own life: it outlives every process. */
  const postgres = world.begin('postgres');
  let clockMs = -1;

  async function tellTime(): Promise<void> {
    if (clockMs === world.nowMs()) return;
    clockMs = world.nowMs();
    await server.observer.query(`SELECT setval('simulated.clock_ms', ${clockMs})`);
  }

  function openSession(life: Life): Session {
    // Which of the server's connections it is does not matter, so one is taken when it is needed.
    const session: Session = { client: undefined, inTransaction: false, busy: false };
    const sessions = held.get(life) ?? new Set();
    held.set(life, sessions.add(session));
    return session;
  }

  function closeSession(life: Life, session: Session): void {
    held.get(life)?.delete(session);
    giveBack(session);
  }
  function giveBack({ client }: Session): void {
    if (client !== undefined) server.warm.push(client);
  }

  /** The server notices, some time later, that a client is gone: what it had begun is rolled back. */
  function abandon(life: Life, session: Session): void {
    held.get(life)?.delete(session);
    abandoned.add(session);
    void world.operate(
      postgres,
      `a connection of ${life.name} is gone`,
      async () => {
        abandoned.delete(session);
        if (session.inTransaction) await send(session, 'ROLLBACK');
        if (session.client) await send(session, 'SELECT pg_advisory_unlock_all()');
        giveBack(session);
      },
      () => !session.busy,
    );
  }

  /** Resolves when the statement is done, or waits for a lock; `done` then resolves later. */
  async function send(
    session: Session,
    text: string | { text: string },
    values?: unknown[],
  ): Promise<{ done: Promise<pg.QueryResult> }> {
    await tellTime();
    session.busy = true;
    session.client ??= server.warm.pop() ?? (await server.connect());
    for (const one of blocked) stop(one);
    try {
      const done = session.client.query(prepared(text, values)) as unknown as Promise<pg.QueryResult>;
      const one = running(session, done);
      if (await waitsForLock(one)) {
        world.trace('  … waits for a lock');
        blocked.add(one);
        stop(one);
      }
      noteTransaction(session, typeof text === 'string' ? text : text.text);
      await wakeUnblocked();
      return { done };
    } finally {
      // None is left stopped for longer, or a simulation that is killed would leave a server that cannot end.
      for (const one of blocked) goOn(one);
    }
  }

  function running(session: Session, answer: Promise<unknown>): Running {
    let isDone = false;
    const done = answer.then(noop, noop).then(() => {
      isDone = true;
      session.busy = false;
    });
    return { session, done, isDone: () => isDone };
  }

  function noteTransaction(session: Session, text: string): void {
    if (/^\s*begin/i.test(text)) session.inTransaction = true;
    else if (/^\s*(commit|rollback)(?! to)/i.test(text)) session.inTransaction = false;
  }

  /**
   * False once it is done; true when it waits for somebody else's lock. Whoever closes a circle of them is not said to
   * wait: Postgres ends its statement, as the only one whose backend runs and so looks for circles.
   */
  async function waitsForLock(one: Running): Promise<boolean> {
    for (;;) {
      await Promise.race([one.done, pauseMs(2)]);
      if (one.isDone()) return false;
      const blockers = await readBlockers([one, ...blocked]);
      if (one.isDone()) return false;
      if (blockers.get(pidOf(one.session))!.length > 0 && !isCircle(pidOf(one.session), blockers)) return true;
    }
  }

  /** Whom each statement's backend waits for, by process ids. */
  async function readBlockers(statements: readonly Running[]): Promise<Map<number, number[]>> {
    const { rows } = await observe<{ pid: number; blockers: number[] }>(
      'SELECT pid, pg_blocking_pids(pid) AS blockers FROM unnest($1::int[]) AS pid',
      [statements.map(({ session }) => pidOf(session))],
    );
    return new Map(rows.map(({ pid, blockers }) => [pid, blockers]));
  }

  /**
   * Asks beside all that runs. A backend that was stopped while it looked for circles of waiting holds what the answer needs: it
   * goes on for a moment then.
   */
  async function observe<Row extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<pg.QueryResult<Row>> {
    const answer = server.observer.query<Row>(text, values);
    let isDone = false;
    const done = answer.then(noop, noop).then(() => {
      isDone = true;
    });
    for (;;) {
      await Promise.race([done, pauseMs(heldUpMs)]);
      if (isDone) return await answer;
      const those = [...stopped];
      for (const one of those) goOn(one);
      await pauseMs(2);
      for (const one of those) stop(one);
    }
  }

  /**
   * After every statement: those that waited and need wait no more come to their end, one after the other, before
   * anything else is done.
   */
  async function wakeUnblocked(): Promise<void> {
    while (blocked.size > 0) {
      const blockers = await readBlockers([...blocked]);
      const free = [...blocked].find(({ session }) => blockers.get(pidOf(session))!.length === 0);
      if (free === undefined) return;
      goOn(free);
      if (await waitsForLock(free)) stop(free);
      else blocked.delete(free);
      await world.settle();
    }
  }

  /** One statement as a process sends it, with what may befall it on the way. */
  function ask(life: Life, session: Session, of: Statement, values?: unknown[]): Promise<pg.QueryResult> {
    const text = typeof of === 'string' ? of : of.text;
    // What a notification would say sooner is found by looking.
    if (/^\s*(un)?listen/i.test(text)) return Promise.resolve({ rows: [], rowCount: 0 } as never);
    const altered = mutant?.alter?.(text) ?? text;
    const isApart = mutant?.apart?.test(text) ?? false;
    if (isApart || altered !== text) isMutated = true;
    const noteDone = noting?.(text);
    return new Promise((resolve, reject) => {
      void world.operate(life, altered.replaceAll(/\s+/g, ' ').slice(0, 120), async () => {
        if (!held.get(life)?.has(session)) {
          world.trace('  … on a connection that was given back');
          reject(connectionLost(life));
          return;
        }
        const { lostBefore, lostAfter } = faults();
        if (world.random.chance(lostBefore)) {
          world.trace('  … lost before it was done');
          reject(connectionLost(life));
          return;
        }
        const isLost = world.random.chance(lostAfter);
        const own: Session = isApart ? { client: undefined, inTransaction: false, busy: false } : session;
        const { done } = await send(own, typeof of === 'string' ? altered : { ...of, text: altered }, values);
        if (isApart) await done.then(noop, noop).then(() => giveBack(own));
        if (noteDone !== undefined) void done.then(noteDone, noop);
        const answer = isLost ? done.then(() => Promise.reject(connectionLost(life))) : done;
        if (isLost) world.trace('  … done, its answer lost');
        answer.then(
          (result) => life.alive && resolve(result),
          (error) => life.alive && reject(error),
        );
      });
    });
  }

  /** What a process sees as its pool of connections. */
  function poolOf(life: Life): pg.Pool {
    // As openDatabase does it.
    const pool = new EventEmitter().on('error', noop).on('connect', noop);
    const connect = async () => {
      const session = openSession(life);
      const client = new EventEmitter().on('error', noop);
      let broken: Error | undefined;
      let released = false;
      const one = async (of: Statement, values?: unknown[]) => {
        if (released) throw new Error('the connection was given back');
        if (broken) throw broken;
        try {
          return await ask(life, session, of, values);
        } catch (error) {
          if ((error as { lost?: true }).lost) broken = error as Error;
          throw error;
        }
      };
      // Those sent together are carried out in order, and none behind one that broke the connection.
      let last: Promise<unknown> = Promise.resolve();
      const query = (of: Statement, values?: unknown[]) => {
        const answer = last.then(() => one(of, values));
        last = answer.catch(noop);
        return answer;
      };
      const release = (error?: Error | boolean) => {
        if (released || !life.alive) return;
        released = true;
        if (broken || error || session.inTransaction) abandon(life, session);
        else closeSession(life, session);
      };
      return Object.assign(client, { query, release });
    };
    const whole = Object.assign(pool, {
      options: { Client: SilentClient },
      ended: false,
      end: async () => {},
      connect(callback?: (error: Error | undefined, client?: unknown, release?: unknown) => void) {
        const connecting = connect();
        if (callback === undefined) return connecting;
        connecting.then((client) => callback(undefined, client, client.release), callback);
        return undefined;
      },
      async query(of: Statement, values?: unknown[]) {
        const client = await connect();
        try {
          return await client.query(of, values);
        } finally {
          client.release();
        }
      },
    });
    return whole as unknown as pg.Pool;
  }

  return {
    openFor(life: Life): Db {
      life.openPool = () => poolOf(life);
      return world.within(life, () => openDatabase('postgres://simulated', { applicationName: life.name }));
    },
    /** Gives every connection back to the server, as it was. */
    async close(): Promise<void> {
      for (const session of [...abandoned, ...[...held.values()].flatMap((sessions) => [...sessions])]) {
        await session.client?.query('ROLLBACK; SELECT pg_advisory_unlock_all()');
        giveBack(session);
      }
    },
    /** Whether the planted bug met a statement. */
    isMutated: () => isMutated,
    /** The process is gone: the server will notice what it left open. */
    forget(life: Life): void {
      for (const session of held.get(life) ?? []) abandon(life, session);
      held.delete(life);
    },
  };
}

/** A connection of its own that listens: what it would hear sooner is found by looking. */
class SilentClient extends EventEmitter {
  connect = async () => {};
  query = async () => ({ rows: [], rowCount: 0 });
  end = async () => {};
}

/** Statements with parameters are prepared once a connection, which halves what Postgres has to do. */
const statementNames = new Map<string, string>();
function prepared(of: string | { text: string; values?: unknown[] }, values?: unknown[]): pg.QueryConfig {
  const query = typeof of === 'string' ? { text: of, values } : of;
  if (query.values === undefined || query.values.length === 0) return { text: query.text };
  const name = statementNames.get(query.text) ?? `simulated-${statementNames.size}`;
  statementNames.set(query.text, name);
  return { text: query.text, values: query.values, name };
}

/** The observer is answered within milliseconds, unless something is held that it needs. */
const heldUpMs = 200;
const noop = () => {};
/** A backend that waits for a lock holds nothing by which stopping it would keep the server itself, but for moments: see `observe`. */
const signal = ({ session }: Running, name: 'SIGSTOP' | 'SIGCONT') => process.kill(pidOf(session), name);
const pidOf = ({ client }: Session) => (client as unknown as { processID: number }).processID;
const realSetTimeout = globalThis.setTimeout;
const pauseMs = (ms: number) => new Promise<void>((resolve) => realSetTimeout(resolve, ms));
const connectionLost = (life: Life) =>
  Object.assign(new Error('Connection terminated unexpectedly'), { lost: true, life });
