import { benchDetector } from './detector.ts';
import { benchLatency, benchRevocation } from './latency.ts';
import { format, interleave, percentile } from './measure.ts';
import { benchNotify } from './notify.ts';
import { hmacLimit, postgresLimits } from './peers/limits.ts';
import { wholeWay } from './peers/whole-way.ts';
import { benchReceiver } from './receiver.ts';
import { benchRules } from './rules.ts';
import { beside, bounded, figure, type Row, row } from './table.ts';

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
      const deliveries = quick ? 2_000 : 12_000;
      const [ours, bare, octokit] = await benchReceiver({ brokers, deliveries, rounds, connections: 64 });
      return [
        beside(ours!, bare!, { least: 0.6, headline: true }),
        beside(ours!, octokit!, { least: 1.1, headline: true }),
      ];
    },
  },

  detector: {
    what: 'events judged by all rules and committed exactly once, beside limits and peers',
    measure: ({ brokers, rounds, quick }) => benchDetector({ brokers, deliveries: quick ? 20_000 : 120_000, rounds }),
  },

  rules: {
    what: 'a thousand rules beside one, in the engine alone',
    measure: async ({ rounds, quick }) => {
      const [waiting, asked, one] = await benchRules({ deliveries: quick ? 10_000 : 60_000, rounds });
      return [beside(waiting!, one!, { most: 1.5, headline: true }), beside(asked!, one!)];
    },
  },

  whole: {
    what: 'the whole way from delivery to Slack, beside what a team writes in an afternoon',
    measure: async ({ brokers, rounds, quick }) => {
      const contestants = wholeWay({ deliveries: quick ? 2_000 : 12_000, connections: 64, brokers });
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
      const findings = quick ? 20 : 400;
      const result = await benchLatency({ ratePerSecond: 2000, findingsPerSecond: 20, findings, brokers });
      const what = `deciding delivery → Slack called, ${format(result.reachedPerSecond)} deliveries/s with 20 findings/s`;
      const told = `${result.latenciesMs.length} told apart, ${result.digested} in digests, ${result.missing} missing`;
      return spread(what, result.latenciesMs, { p50: 15, p99: 50 }, told);
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
};

/** A row for each percentile that has a goal, in ms. */
function spread(what: string, latenciesMs: number[], goals: { p50?: number; p99: number }, told: string): Row[] {
  if (latenciesMs.length === 0) return [row({ what, figure: 'nothing heard', beside: told, met: false })];
  return Object.entries(goals).map(([name, most]) =>
    bounded(`${what}, ${name}`, percentile(latenciesMs, Number(name.slice(1)) / 100), {
      unit: 'ms',
      most,
      beside: told,
      headline: true,
    }),
  );
}
