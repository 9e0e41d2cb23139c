import { cpuMicros, type HttpServer, type RunningServer, signedRequests, startServer } from './http-server.ts';
import { sendAll } from './load.ts';
import type { Series } from './measure.ts';

/** Of each server `spans` times so many deliveries, after `warmUp` that do not count. */
export type Spans = { spans: number; deliveries: number; warmUp: number; connections: number };

/**
 * µs of CPU a delivery of several servers that all run on core 0, which are sent the same deliveries in short spans, by turns and each
 * second time the other way round: whatever else a machine does within a second it does to all of them.
 */
export async function spansInTurn(
  servers: readonly { name: string; server: HttpServer }[],
  { spans, deliveries, warmUp, connections }: Spans,
): Promise<Series[]> {
  const running: { at: RunningServer; series: Series }[] = [];
  const sendTo = async ({ port, output }: RunningServer, requests: readonly Buffer[]) => {
    const { refused } = await sendAll({ port, requests, connections });
    if (refused > 0) throw new Error(`${refused} deliveries were refused:\n${output()}`);
  };
  try {
    for (const { name, server } of servers)
      running.push({ at: await startServer(server), series: { name, unit: 'µs CPU', values: [] } });
    const warming = signedRequests(warmUp);
    for (const { at } of running) await sendTo(at, warming);
    for (let span = 0; span < spans; span += 1) {
      const requests = signedRequests(deliveries);
      for (const { at, series } of span % 2 === 0 ? running : running.toReversed()) {
        const beforeMicros = cpuMicros(at.pid);
        await sendTo(at, requests);
        const tookMicros = cpuMicros(at.pid) - beforeMicros;
        if (!(tookMicros > 0))
          throw new Error(`what ${series.name} took cannot be told: the system says ${tookMicros} µs of CPU`);
        series.values.push(tookMicros / deliveries);
      }
    }
  } finally {
    for (const { at } of running) await at.close();
  }
  return running.map(({ series }) => series);
}
