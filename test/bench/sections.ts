import { benchDetector } from './detector.ts';
import { benchLatency } from './latency.ts';
import { percentile } from './measure.ts';
import { benchReceiver } from './receiver.ts';
import { beside, bounded, type Row, row } from './table.ts';

/** What a section is given: a broker of its own, how many rounds count, and whether to measure less. */
type Ground = { brokers: string; rounds: number; quick: boolean };
type Section = { what: string; measure: (ground: Ground) => Promise<Row[]> };

/** All that `npm run bench` measures, in the order of the data. */
export const sections: { [name: string]: Section } = {
  receiver: {
    what: 'signed deliveries kept in Kafka, beside bare HTTP and Octokit’s middleware',
    measure: async ({ brokers, rounds, quick }) => {
      const deliveries = quick ? 2_000 : 12_000;
      const series = await benchReceiver({ brokers, deliveries, rounds, connections: 64 });
      const [ours, bare, octokit] = series as [(typeof series)[0], (typeof series)[0], (typeof series)[0]];
      return [
        beside(ours, bare, { least: 0.6, headline: true }),
        beside(ours, octokit, { least: 1.1, headline: true }),
      ];
    },
  },
  detector: {
    what: 'events judged by all rules and committed exactly once, beside limits and peers',
    measure: ({ brokers, rounds, quick }) => benchDetector({ brokers, deliveries: quick ? 20_000 : 120_000, rounds }),
  },
  latency: {
    what: 'from the deciding delivery to the call of Slack',
    measure: async ({ brokers, quick }) => {
      const findings = quick ? 20 : 400;
      const result = await benchLatency({ ratePerSecond: 2000, findingsPerSecond: 20, findings, brokers });
      const what = `deciding delivery → Slack called, ${Math.round(result.reachedPerSecond)} deliveries/s with 20 findings/s`;
      const told = `${result.latenciesMs.length} told apart, ${result.digested} in digests, ${result.missing} missing`;
      if (result.latenciesMs.length === 0) return [row({ what, figure: 'nothing heard', beside: told, met: false })];
      const at = (share: number, most: number) =>
        bounded(`${what}, p${share * 100}`, percentile(result.latenciesMs, share), {
          unit: 'ms',
          most,
          beside: told,
          headline: true,
        });
      return [at(0.5, 15), at(0.99, 50)];
    },
  },
};
