import { startBrokers } from '../../packages/testing/kafka/broker.ts';
import { startTestPostgres } from '../../packages/testing/postgres/postgres.global.ts';
import { benchAccess } from './access.ts';
import { accessRows } from './access-rows.ts';
import { benchAuditStream } from './audit-stream.ts';
import { benchBurst } from './burst.ts';
import { benchCatalogue } from './catalogue.ts';
import { makeCorpus } from './corpus.ts';
import { benchDetector } from './detector.ts';
import { benchExceptions } from './exceptions.ts';
import { benchIdentity } from './identity.ts';
import { benchLatency, benchMemory, benchRevocation, type Latencies, type Rate } from './latency.ts';
import { format, interleave, median, percentile, type Series } from './measure.ts';
import { benchNotify } from './notify.ts';
import { benchOnboarding } from './onboarding.ts';
import { hmacLimit, postgresLimits } from './peers/limits.ts';
import { wholeWay } from './peers/whole-way.ts';
import { benchReceiver, type ReceiverLoad } from './receiver.ts';
import { benchReceiverLadder } from './receiver-ladder.ts';
import { fillWithCopies, recordsOf } from './records.ts';
import { benchReplay, replayed } from './replay.ts';
import { trailReplayRows } from './replay-trail.ts';
import { benchAuditRows, benchRules } from './rules.ts';
import { benchScaleOut } from './scale-out.ts';
import { benchSigmaRules } from './sigma-rules.ts';
import { benchState } from './state.ts';
import { beside, bounded, figure, type Row, row, spread } from './table.ts';
import { benchTakeover } from './takeover.ts';

/** What a section is given: a broker of its own, how many rounds count, and whether to measure less. */
type Ground = { brokers: string; rounds: number; quick: boolean };
type Section = { what: string; measure: (ground: Ground) => Promise<Row[]> };

/** All that `npm run bench` measures, in the order of the data. */
export const sections: { [name: string]: Section } = {
  limits: {
    what: 'parts of the way, each done alone',
    measure: async ({ rounds, quick }) => {
      const limits = [
        hmacLimit({ deliveries: quick ? 2_000 : 20_000 }),
        ...(await postgresLimits({ rows: quick ? 5_000 : 50_000, batchRows: 500 })),
      ];
      try {
        const series = await interleave(limits, rounds);
        return series.map((of, index) => row({ what: of.name, figure: figure(of), note: limits[index]!.note }));
      } finally {
        for (const { close } of limits) await close();
      }
    },
  },

  receiver: {
    what: 'signed deliveries kept in Kafka, beside bare HTTP and Octokit’s middleware',
    measure: async ({ brokers, rounds, quick }) => {
      const load = receiverLoad(brokers, rounds, quick);
      const rows: Row[] = [];
      for (const maxBodyBytes of [undefined, 8192]) {
        const bodies = maxBodyBytes === undefined ? '10 kB a body' : '6 kB a body';
        const { rates } = await benchReceiver({ ...load, ...(maxBodyBytes && { maxBodyBytes }) });
        const [ours, bare, octokit] = rates.map((of) => ({ ...of, name: `${of.name}, ${bodies}` }));
        const headline = maxBodyBytes === undefined;
        rows.push(beside(ours!, bare!, { least: 0.6, headline }), beside(ours!, octokit!, { least: 1.1, headline }));
      }
      return rows;
    },
  },

  'audit-stream': {
    what: 'records of the audit log kept in Kafka, as GitHub streams them, beside webhooks',
    measure: async ({ brokers, rounds, quick }) => {
      const load = { ...receiverLoad(brokers, Math.min(rounds, 5), quick), bodies: quick ? 5 : 60 };
      const [streamed, webhooks] = await benchAuditStream(load);
      return [beside(streamed!, webhooks!, { note: 'A record is some 900 bytes, a webhook’s body some 10 kB.' })];
    },
  },

  ladder: {
    what: 'each step of the receiver’s work, on top of those before it',
    measure: async ({ brokers, rounds, quick }) => {
      const { rates, cpu } = await benchReceiverLadder(receiverLoad(brokers, Math.min(rounds, 3), quick));
      const note =
        'Each rung calls the receiver’s own functions with nothing around them, and does all that those above it do.';
      return rates
        .slice(1)
        .map((of, nth) =>
          beside(rates[0]!, { ...of, name: `${of.name} (${format(median(cpu[nth + 1]!.values))} µs CPU)` }, { note }),
        );
    },
  },

  detector: {
    what: 'events judged by the pinned rules and committed exactly once, beside limits and peers',
    measure: ({ brokers, rounds, quick }) => benchDetector({ brokers, deliveries: quick ? 20_000 : 120_000, rounds }),
  },

  catalogue: {
    what: 'the whole catalogue beside the pinned rules, without broker and database',
    measure: async ({ rounds, quick }) => {
      const { catalogue, pinned } = await benchCatalogue({ deliveries: quick ? 10_000 : 60_000, rounds });
      return [beside(catalogue, pinned, { most: 1.5, headline: true })];
    },
  },

  rules: {
    what: 'a thousand rules beside one, in the engine alone',
    measure: async ({ rounds, quick }) => {
      const [waiting, asked, one] = await benchRules({ deliveries: quick ? 10_000 : 60_000, rounds });
      return [beside(waiting!, one!, { most: 1.5, headline: true }), beside(asked!, one!)];
    },
  },

  'audit-rows': {
    what: 'rules that wait for an action of the audit log: 1, 40 and 600 of them, in the engine alone',
    measure: async ({ rounds, quick }) => {
      const [most, some, one] = await benchAuditRows({ deliveries: quick ? 10_000 : 60_000, rounds });
      return [beside(most!, one!, { most: 1.5 }), beside(some!, one!, { most: 1.2 })];
    },
  },

  exceptions: {
    what: 'a thousand exceptions, each asked of every finding, in the engine alone',
    measure: async ({ rounds, quick }) => {
      const [many, none] = await benchExceptions({ deliveries: quick ? 10_000 : 60_000, rounds });
      return [beside(many!, none!, { most: 1.2, headline: true })];
    },
  },

  'sigma-rules': {
    what: 'three hundred Sigma rules, in the engine alone',
    measure: async ({ rounds, quick }) => {
      const [many, none] = await benchSigmaRules({ deliveries: quick ? 10_000 : 60_000, rounds });
      return [beside(many!, none!, { most: 1.5 })];
    },
  },

  onboarding: {
    what: 'keyed state that an onboarding day of 100 grants writes, in the engine alone',
    measure: async () => {
      const { grants, firstBytes, lastBytes } = benchOnboarding(100);
      const what = `state written by the last tenth of ${grants} grants, each`;
      const beside = `the first tenth: ${Math.round(firstBytes)} bytes`;
      return [bounded(what, lastBytes, { unit: 'bytes', most: 2000, beside })];
    },
  },

  whole: {
    what: 'the whole way from delivery to Slack, beside what a team writes in an afternoon',
    measure: async ({ rounds, quick }) => {
      const contestants = wholeWay({ deliveries: quick ? 2_000 : 12_000, connections: 64 });
      try {
        const [ours, ...others] = await interleave(contestants, rounds);
        return others.map((other, index) => beside(ours!, other, { note: contestants[index + 1]!.note }));
      } finally {
        for (const { close } of contestants) await close();
      }
    },
  },

  notify: {
    what: 'from a finding’s commit to Slack, beside Alertmanager',
    measure: async ({ rounds, quick }) => {
      const told = await benchNotify({ ratePerSecond: 20, alerts: quick ? 20 : 200, rounds });
      return told.map((of) => {
        const what = 'finding’s record → Slack called, 20 a second';
        if ('absent' in of) return row({ what, figure: 'not measured', beside: `${of.name}: ${of.absent}` });
        const [p50, p99] = [percentile(of.latenciesMs, 0.5), percentile(of.latenciesMs, 0.99)];
        const figures = `p50 ${format(p50)} ms, p99 ${format(p99)} ms, ${of.missing} missing, ${Math.round(of.residentMiB)} MiB`;
        return row({ what: `${what}: ${of.name}`, figure: figures, note: of.note, headline: true });
      });
    },
  },

  latency: {
    what: 'from the deciding delivery to the call of Slack',
    measure: async ({ brokers, quick }) => {
      const ratePerSecond = 2000;
      // A log of its own for each, since whoever starts on an empty database judges a log from its beginning.
      const onItsOwn = async (rate: Rate) => {
        const own = await startBrokers({ brokers: 1 });
        return benchLatency({ ...rate, brokers: own.bootstrap.join(',') }).finally(() => own.close());
      };
      const findings = quick ? 5 : 40;
      const paced = await benchLatency({ ratePerSecond, findings, brokers });
      const alone = await benchLatency({ ratePerSecond, findings });
      const parted = await onItsOwn({ ratePerSecond, findings, apart: true });
      const calm = await onItsOwn({ ratePerSecond: ratePerSecond / 4, findings });
      const stormed = await onItsOwn({ ratePerSecond, findingsPerSecond: 20, findings: quick ? 40 : 200 });
      const rowsOf = (
        log: string,
        { latenciesMs, reachedPerSecond, missing, findings, legs, cpuMicros }: Latencies,
      ) => {
        const where = legs.map(({ name, ms }) => `${name} ${format(percentile(ms, 0.5))} ms`).join(', ');
        const cpu = `${format(cpuMicros.tripline)} µs CPU a delivery, Postgres ${format(cpuMicros.postgres)} µs`;
        const what = `deciding delivery → Slack called, ${log}, ${format(reachedPerSecond)} deliveries/s`;
        return spread(what, latenciesMs, { p50: 15, p99: 50 }, `${missing} of ${findings} missing; ${where}; ${cpu}`);
      };
      return [
        ...rowsOf('log on Kafka beside it', paced),
        ...rowsOf('log in its own Postgres', alone),
        ...rowsOf('one process a service, log on Kafka', parted),
        ...rowsOf('log on Kafka beside it', calm),
        row({
          what: 'the same with 20 findings/s into one channel',
          figure: `${stormed.latenciesMs.length} told apart, ${stormed.digested} in digests, ${stormed.missing} missing`,
          beside: 'one channel of Slack takes one message a second',
        }),
      ];
    },
  },

  revoke: {
    what: 'from a finding’s record to the answered call that acts',
    measure: async ({ brokers, quick }) => {
      const result = await benchRevocation({ ratePerSecond: 200, findings: quick ? 5 : 60, brokers });
      const what = 'finding’s record → the revoking call answered, at a GitHub that takes 50 ms a call';
      return spread(what, result.fromFindingMs, { p99: 500 }, `${result.missing} of ${result.findings} missing`);
    },
  },

  burst: {
    what: 'how far the detector falls behind in a burst of ten seconds',
    measure: async ({ brokers, quick }) => {
      const burst = await benchBurst({ brokers, steadyPerSecond: 2000, burstPerSecond: quick ? 5000 : 20_000 });
      const what = `event’s append → its verdict’s commit, 10 s of ${format(burst.reachedPerSecond)} events/s`;
      const told = `p99 ${format(burst.before.p99)} ms before it; ${format(burst.wantedPerSecond)} events/s were wanted`;
      return [
        bounded(`${what}, p99`, burst.during.p99, { unit: 'ms', most: 1000, beside: told, headline: true }),
        bounded('after the burst, until all is as before', burst.normalAfterS, {
          unit: 's',
          most: 5,
          beside: `${format(burst.normalWithoutBurstS)} s by the same measure where there was no burst`,
        }),
      ];
    },
  },

  state: {
    what: 'what keyed state costs as it grows',
    measure: async ({ rounds, quick }) => {
      const keys = quick ? [10_000, 100_000] : [100_000, 50_000_000];
      const { written, costs } = await benchState({ keys, rounds, deliveries: quick ? 10_000 : 60_000 });
      const [small, large] = costs.map((cost): Series => {
        const total = cost.ownUs.map((own, round) => own + cost.postgresUs[round]!);
        return { name: `${format(cost.keys)} keys of state`, unit: 'µs CPU an event with Postgres’s', values: total };
      });
      const [, most] = costs;
      return [
        bounded('rows written an event where nothing fires', written.rows, { unit: 'rows', most: 0.05 }),
        beside(large!, small!, { most: 1.5, headline: true }),
        bounded(`resident memory with ${format(most!.keys)} keys`, most!.rssBytes / 2 ** 20, {
          unit: 'MiB',
          most: 1536,
          beside: `${format(most!.storedBytes / 1e9)} GB stored; taken over in ${format(most!.takeOverMs)} ms`,
          headline: true,
        }),
      ];
    },
  },

  takeover: {
    what: 'a detector killed with -9, and another in its place',
    measure: async ({ brokers, rounds }) => {
      const postgres = await startTestPostgres();
      try {
        const ms = await benchTakeover({ brokers: brokers.split(','), postgresUrl: postgres.url, rounds });
        return [
          bounded('detector killed with -9 → all its partitions taken over, the longest', Math.max(...ms) / 1000, {
            unit: 's',
            most: 8,
            headline: true,
          }),
        ];
      } finally {
        await postgres.stop();
      }
    },
  },

  'scale-out': {
    what: 'two and four detector processes over the partitions of one topic',
    measure: async ({ brokers, rounds, quick }) => {
      const deliveries = quick ? 10_000 : 60_000;
      const corpus = makeCorpus({
        deliveries,
        workspaces: 200,
        attackEvery: 30,
        seed: 42,
        startMs: Date.now(),
        answered: true,
      });
      // Enough that what a process compiles in its first second does not count.
      await fillWithCopies(brokers, recordsOf(corpus), quick ? 4 : 10);
      const postgres = await startTestPostgres();
      try {
        const [one, ...more] = await benchScaleOut({
          brokers: brokers.split(','),
          postgresUrl: postgres.url,
          rounds: Math.min(rounds, 3),
        });
        const note = 'They share the two cores with broker and database, whose writes are not synced to disk here.';
        return more.map((several) => beside(several, one!, { note }));
      } finally {
        await postgres.stop();
      }
    },
  },

  replay: {
    what: 'the log from its start, under a rule that is new',
    measure: replayRows,
  },

  'replay-catalogue': {
    what: '`tripline replay` of the trail, under the whole catalogue',
    measure: ({ rounds, quick }) => trailReplayRows({ rounds: Math.min(rounds, 3), quick }),
  },

  identity: {
    what: 'an id token verified, beside jose with the key at hand',
    measure: async ({ quick }) => {
      const { genuineMs, forgedMs, garbageMs, joseMs } = await benchIdentity({ tokens: quick ? 50 : 1000 });
      const told = (name: string, ms: readonly number[]) =>
        `${name}: p50 ${format(percentile(ms, 0.5))}, p99 ${format(percentile(ms, 0.99))} ms`;
      return [
        ...spread('an id token of GitHub → its workload', genuineMs, { p99: 1 }, told('jose’s jwtVerify', joseMs)),
        row({ what: 'the same, refused', figure: told('another key', forgedMs), beside: told('garbage', garbageMs) }),
      ];
    },
  },

  access: {
    what: 'what a job waits for its access, and how soon after its end that is dead, beside OpenBao',
    measure: async ({ brokers, rounds, quick }) =>
      accessRows(await benchAccess({ brokers, grants: quick ? 100 : 1000 * rounds, seconds: quick ? 3 : 20 * rounds })),
  },

  memory: {
    what: 'memory of all our processes, at rest and under load',
    measure: async ({ brokers, quick }) => {
      const seconds = quick ? 3 : 20;
      const { idle, loaded } = await benchMemory({ ratePerSecond: 2000, seconds, brokers });
      const of = (what: string, { tripline, postgres }: typeof idle, most: number) =>
        bounded(what, tripline, {
          unit: 'MiB',
          most,
          beside: `Postgres beside it ${format(postgres)} MiB`,
          headline: true,
        });
      return [of('`tripline up` at rest', idle, 150), of('`tripline up` at 2,000 deliveries/s', loaded, 400)];
    },
  },
};

/** The seconds that 90 days of a busy organisation take, projected from a part of them. */
async function replayRows({ brokers, rounds, quick }: Ground): Promise<Row[]> {
  const { events, series } = await benchReplay({
    ...{ brokers, rounds: Math.min(rounds, 3) },
    ...(quick ? { deliveries: 10_000, copies: 2 } : { deliveries: 60_000, copies: 40 }),
  });
  return series.map(({ name, values }) => {
    const perSecond = median(values);
    return bounded(`replay of ${format(replayed)} events (90 days) under a new rule, ${name}`, replayed / perSecond, {
      unit: 's',
      most: 300,
      beside: `${format(events)} events were played, at ${format(perSecond)} events/s; the rest is projected`,
      note: 'What an event costs as state grows: see the rows of keyed state.',
      headline: true,
    });
  });
}

function receiverLoad(brokers: string, rounds: number, quick: boolean): ReceiverLoad {
  return { brokers, deliveries: quick ? 2_000 : 8_000, rounds, connections: 64 };
}
