import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { loadConfig } from '@tripline/config/config';
import { faultOfOrigin } from '@tripline/contracts/internal';
import { openDatabase } from '@tripline/db/database';
import { configureRule } from '@tripline/engine/settings';
import { rulesByDefault as rules } from '@tripline/rules/registry';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { openStream } from '@tripline/stream/open';
import { type StreamRecord, topics } from '@tripline/stream/stream';
import { verifyTrail } from '@tripline/trail/verify-trail';
import { internalKey } from '../../packages/testing/internal-key.ts';
import { createSender, someDeliveries, webhookSecret } from './deliveries.ts';
import { type ServiceProcess, startService, until } from './service-process.ts';
import { type Standing, setDifferences, whatMustStand, whatStands } from './standing.ts';

export type ServiceName = 'receiver' | 'detector' | 'recorder' | 'notifier' | 'remediator';
export const everyService: readonly ServiceName[] = ['receiver', 'detector', 'recorder', 'notifier', 'remediator'];

export type WholeOptions = {
  /** Of a migrated database, as this test reaches it. */
  databaseUrl: string;
  /** The same database as the services reach it, where that is another way. */
  servicesUrl?: string;
  /** Absent: the log lies in the database. */
  brokers?: readonly string[];
  replication?: number;
  deliveries: number;
  seed?: number;
};

/**
 * Tripline as processes of their own, its services started as the test wants them, with signed deliveries to send, and
 * with a word at the end on what of findings, incidents, messages, steps, trail and log is not as it must be. Slack,
 * PagerDuty and GitHub are dry runs: what would be sent is recorded, and compared.
 */
export async function openWhole(options: WholeOptions) {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-whole-'));
  const db = openDatabase(options.databaseUrl, { applicationName: 'faults', maxConnections: 4 });
  const own = {
    DATABASE_URL: options.databaseUrl,
    TRIPLINE_LEARNING_DAYS: '0',
    ...(options.brokers ? { KAFKA_BROKERS: options.brokers.join(',') } : {}),
    ...(options.replication ? { TRIPLINE_KAFKA_REPLICATION: String(options.replication) } : {}),
  };
  const env = {
    ...own,
    DATABASE_URL: options.servicesUrl ?? options.databaseUrl,
    TRIPLINE_DATA: folder,
    TRIPLINE_GITHUB_WEBHOOK_SECRET: webhookSecret,
  };
  const running = new Set<ServiceProcess>();
  const sender = createSender(someDeliveries(options.deliveries, { seed: options.seed ?? 7 }));
  const logger = createLogger({ service: 'test', level: 'silent' });
  // Makes the topics too.
  const stream = await openStream({ config: loadConfig(own, '/'), db, logger, clock: systemClock });

  /** Whether the detectors have the key of these tests: a former checkout asks for none, and a standalone makes its own. */
  let haveKey: boolean | undefined;

  function start(service: ServiceName, more: { env?: Record<string, string>; of?: string } = {}): ServiceProcess {
    if (service === 'detector') haveKey = haveKey !== false && more.of === undefined;
    // A former checkout knows no such setting.
    const keys = service === 'detector' && !more.of ? { TRIPLINE_INTERNAL_KEY: internalKey } : {};
    const started = startService(service, { ...env, ...keys, ...more.env }, more.of ? { of: more.of } : {});
    running.add(started);
    started.ended.then(() => running.delete(started));
    return started;
  }

  /** Asks again while brokers that came back still choose their leaders. */
  const ends = () =>
    until(() => stream.offsets(topics.events).catch(() => false as const), {
      everyMs: 100,
      what: 'the ends of the log',
    });

  async function readLog(): Promise<StreamRecord[]> {
    const records: StreamRecord[] = [];
    for (const { partition, first, next } of await ends()) {
      for (let from = first; from < next; ) {
        const read = await stream.read({ topic: topics.events, partition, from, limit: 5000 });
        records.push(...read);
        from = read.at(-1)!.offset + 1;
      }
    }
    return records;
  }

  /** What is not done yet by those of `services` that were started, as text. */
  async function undone(services: readonly ServiceName[]): Promise<string[]> {
    const lines: string[] = [];
    const filled = (await ends()).filter(({ next, first }) => next > first);
    for (const consumer of ['detector', 'recorder'].filter((name) => services.includes(name as ServiceName))) {
      const { rows } = await db.pool.query<{ partition: number; next: number }>(
        'SELECT partition, next FROM positions WHERE consumer = $1 AND topic = $2',
        [consumer, topics.events],
      );
      for (const { partition, next } of filled) {
        const at = rows.find((row) => row.partition === partition)?.next ?? 0;
        if (at < next) lines.push(`the ${consumer} stands at ${at} of ${next} in partition ${partition}`);
      }
    }
    const ask = async (sql: string) => (await db.pool.query<{ what: string }>(sql)).rows.map(({ what }) => what);
    if (services.includes('notifier')) lines.push(...(await ask(undelivered)));
    if (services.includes('remediator')) lines.push(...(await ask(unsettled)));
    const spool = join(folder, 'spool');
    if (services.includes('receiver')) {
      lines.push(
        ...readdirSync(spool)
          .filter((name) => name.includes('.spool'))
          .map((name) => `the spool holds ${name}`),
      );
    }
    return lines;
  }

  return {
    db,
    sender,
    start,
    readLog,
    /** How many partitions the topic of events has. */
    partitions: async () => (await stream.offsets(topics.events)).length,
    undone,
    /** Records in the topic of events. */
    logged: async () => (await stream.offsets(topics.events)).reduce((sum, { first, next }) => sum + next - first, 0),
    /** Sends all that is left, so many at once, to a receiver that may change its address; waits while `isHeldBack`. */
    async sendAll(base: () => string, connections = 4, isHeldBack = () => false): Promise<void> {
      await Promise.all(
        Array.from({ length: connections }, async () => {
          do await until(() => !isHeldBack(), { what: 'leave to send' });
          while ((await sender.sendNext(base())) !== undefined);
        }),
      );
    },
    /**
     * Sends again what was not acknowledged, waits until nothing is left to do, and says what is wrong then. A receiver
     * appends its summaries when it likes: where the log grew while it was compared, all of it is done once more.
     */
    async settle(base: string, services: readonly ServiceName[], patienceMs = 120_000): Promise<string[]> {
      await sender.sendUnacknowledged(base);
      let left: string[] = [];
      const isDone = async () => {
        left = await undone(services);
        return left.length === 0;
      };
      const untilMs = Date.now() + patienceMs;
      for (;;) {
        const remainingMs = Math.max(0, untilMs - Date.now());
        await until(isDone, { patienceMs: remainingMs, everyMs: 200 }).catch((error: Error) =>
          left.push(error.message),
        );
        const before = await ends();
        const lines = [...left, ...(await this.differences(services))];
        if (lines.length === 0 || isDeepStrictEqual(await ends(), before) || Date.now() >= untilMs) return lines;
      }
    },
    async differences(services: readonly ServiceName[]): Promise<string[]> {
      const records = await readLog();
      const kept = new Set(records.map(({ headers }) => headers['ce_id']!));
      const sent = sender.sentIds();
      const lines = [...sender.acknowledged()]
        .filter((id) => !kept.has(id))
        .map((id) => `acknowledged and lost: ${id}`);
      lines.push(...[...sent].filter((id) => !kept.has(id)).map((id) => `sent again and not in the log: ${id}`));
      if (services.includes('detector')) lines.push(...(await judgedDifferences(records)));
      if (services.includes('recorder')) lines.push(...(await trailDifferences(records)));
      if (services.includes('notifier')) {
        const { rows } = await db.pool.query<{ what: string }>(toldTwice);
        lines.push(...rows.map(({ what }) => what));
      }
      return lines;
    },
    async close(): Promise<void> {
      await Promise.all([...running].map((one) => one.kill()));
      await stream.close();
      await db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };

  async function judgedDifferences(records: StreamRecord[]): Promise<string[]> {
    const configured = rules.map((rule) => configureRule(rule));
    // Other tests write to the same brokers, and what comes from within there bears keys of their own.
    const keys = loadConfig({ ...own, TRIPLINE_INTERNAL_KEY: internalKey }, '/');
    const originFault = haveKey ? { originFault: (record: StreamRecord) => faultOfOrigin(record, keys) } : {};
    const of = { records, rules: configured, learningDays: 0, untilMs: Date.now() - 5000 };
    const expected = whatMustStand({ ...of, ...originFault });
    const actual = await whatStands(db.pool);
    const lines = expected.findings.length === 0 ? ['nothing is to be found: there is nothing to compare'] : [];
    const incidents = ({ incidents }: Standing) =>
      incidents.map(({ findings, state, severity, title }) => ({ findings, state, severity, title }));
    return [
      ...lines,
      ...setDifferences('finding', actual.findings, expected.findings),
      ...setDifferences('incident', incidents(actual), incidents(expected)),
    ];
  }

  async function trailDifferences(records: StreamRecord[]): Promise<string[]> {
    const verdict = await verifyTrail(db.pool);
    const { rows } = await db.pool.query<{ partition: number; offset: number; id: string }>(
      `SELECT partition, "offset", headers->>'ce_id' AS id FROM trail WHERE topic = $1`,
      [topics.events],
    );
    const name = (partition: number, offset: number, id: string | undefined) => `${partition}:${offset} ${id}`;
    return [
      ...verdict.faults.map(({ what }) => `the trail: ${what}`),
      ...setDifferences(
        'row of the trail',
        rows.map((row) => name(row.partition, row.offset, row.id)),
        records.map(({ partition, offset, headers }) => name(partition, offset, headers['ce_id'])),
      ),
    ];
  }
}
export type Whole = Awaited<ReturnType<typeof openWhole>>;

const undelivered = `SELECT s.sink || ' was not told of ' || i.id AS what
  FROM incidents AS i CROSS JOIN (VALUES ('slack'), ('pagerduty')) AS s(sink)
  LEFT JOIN told AS t ON t.incident = i.id AND t.sink = s.sink WHERE coalesce(t.version, 0) < i.version`;
/** While a narrower rule supersedes a finding, nothing is done for it. */
const unsettled = `SELECT 'no step is settled of ' || f.id AS what FROM findings AS f
  WHERE f.superseded_by IS NULL AND json_array_length(f.response::json) <> (SELECT count(*) FROM remediations AS r WHERE r.finding = f.id AND r.state NOT IN ('planned', 'acting'))`;
/** Of a digest's incidents nothing is posted. */
const toldTwice = `SELECT m.sink || ' heard ' || count(*) || ' times first of ' || m.incident AS what FROM messages AS m
  WHERE m.kind IN ('posted', 'trigger') AND m.incident IS NOT NULL GROUP BY m.sink, m.incident HAVING count(*) > 1`;

/** The address that a service listens on, from its log. */
export function addressOf(service: ServiceProcess): Promise<string> {
  return until(() => /"address":"(http:[^"]+)"/.exec(service.said())?.[1], { of: service, what: 'its address' });
}
