import { once } from 'node:events';
import { join } from 'node:path';
import { asTripline } from './full-topic.ts';
import type { Series } from './measure.ts';
import { startProgram } from './peers/peer.ts';

/**
 * What an event costs under the whole registry, beside what it costs under the pinned rules: µs of CPU on the same engine, in turns
 * in one process on core 0, which runs as a detector does.
 */
export async function benchCatalogue(options: {
  deliveries: number;
  rounds: number;
}): Promise<{ catalogue: Series; pinned: Series }> {
  const args = ['--deliveries', String(options.deliveries), '--rounds', String(options.rounds)];
  const command = [...asTripline, join(import.meta.dirname, 'detector-cpu.ts'), '--only', 'catalogue,ours', ...args];
  const { process: child, output } = startProgram([process.execPath, ...command], { core: 0 });
  child.stdin!.end();
  const [code] = (await once(child, 'close')) as [number | null];
  const told = output()
    .split('\n')
    .find((line) => line.startsWith('{'));
  if (code !== 0 || told === undefined) throw new Error(`detector-cpu.ts failed:\n${output()}`);
  const values = JSON.parse(told) as { catalogue: number[]; ours: number[] };
  const unit = 'µs CPU an event';
  return {
    catalogue: { name: 'the whole catalogue, in the engine and beneath it', unit, values: values.catalogue },
    pinned: { name: 'the pinned rules', unit, values: values.ours },
  };
}
