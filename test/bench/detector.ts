import { fullTopic, type Played } from './full-topic.ts';
import { interleave, median, type Series } from './measure.ts';
import { kafkaStreams } from './peers/kafka-streams.ts';
import { kafkajsLimit } from './peers/limits.ts';
import type { Absent, Peer } from './peers/peer.ts';
import { rsigma } from './peers/rsigma.ts';
import { beside, bounded, type Row, row } from './table.ts';

/** What it costs is less than two plays of the same differ by: so many times as many rounds as the others have. */
const roundsOfFence = 4;

/**
 * Events a second that one detector process judges by the pinned rules and commits to Postgres exactly once, beside itself
 * without the fenced position, kafkajs that reads the same records and parses each or does nothing, and the peers.
 * Each has core 0 to itself; broker and database share core 1.
 */
export async function benchDetector(options: { brokers: string; deliveries: number; rounds: number }): Promise<Row[]> {
  const { brokers } = options;
  const full = await fullTopic(options);
  const { topic, total, checkPeer: check, records, corpus, postgresUrl } = full;
  const asked = [
    await kafkaStreams({ brokers, topic, total, check, postgresUrl }),
    await rsigma({ records, corpus, check }),
  ];
  const peers = asked.filter((peer): peer is Peer => 'run' in peer);
  const absent = asked.filter((peer): peer is Absent => 'absent' in peer);
  const idle = kafkajsLimit({ brokers, topic, total });
  const [ours, parsed] = [full.ours(), full.parsing()];
  const rowsWritten: number[] = [];
  const perSecond = ({ records: count, seconds }: Played) => count / seconds;
  try {
    const series = await interleave(
      [
        {
          name: 'detector, the pinned rules, exactly once into Postgres',
          unit: 'events/s',
          run: async () => {
            const played = await ours.fenced();
            rowsWritten.push(played.written / played.records);
            return perSecond(played);
          },
        },
        {
          name: 'limit: kafkajs with one JSON.parse an event',
          unit: 'events/s',
          run: async () => perSecond(await parsed()),
        },
        idle,
        ...peers,
      ],
      options.rounds,
    );
    const [us, parsing, doing, ...others] = series as [Series, Series, Series, ...Series[]];
    const [fenced, unfenced] = await interleave(
      [
        { name: us.name, unit: 'events/s', run: async () => perSecond(await ours.fenced()) },
        {
          name: 'the same without the fenced position',
          unit: 'events/s',
          run: async () => perSecond(await ours.unfenced()),
        },
      ],
      options.rounds * roundsOfFence,
    );
    return [
      beside(us, parsing, { least: 0.5, headline: true }),
      beside(us, doing, { note: idle.note }),
      beside(fenced!, unfenced!, { least: 0.95, note: `What exactly-once costs, of ${fenced!.values.length} rounds.` }),
      ...others.map((other, index) => {
        const least = other.name.startsWith('Kafka Streams') ? 1.5 : 1;
        return beside(us, other, { note: peers[index]!.note, headline: true, least });
      }),
      ...absent.map(({ name, absent: why }) => row({ what: us.name, figure: '', beside: `${name}: ${why}` })),
      bounded('rows written an event, all tables, the findings with them', median(rowsWritten), {
        unit: 'rows',
        most: 0.05,
        headline: true,
      }),
    ];
  } finally {
    for (const { close } of [...peers, idle]) await close();
    await full.close();
  }
}
