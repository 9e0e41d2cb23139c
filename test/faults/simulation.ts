import { join } from 'node:path';
import type { Fault } from './fault.ts';
import { startProcess } from './service-process.ts';

const script = join(import.meta.dirname, '../simulation/run.ts');

/**
 * Seeds of the simulation, in a process of its own since it has the platform's timers, chance and clock in its hands.
 * In full as many as take a core some ten minutes; `npm run simulate` plays any number.
 */
export const simulation: Fault = {
  name: 'simulation',
  what: 'lost replies, broken connections, crashes, late and doubled records, faulty sinks, by chance under a seed',
  sizes: { ci: 80, full: 1500, unit: 'seeds' },
  async run(ground, size) {
    const playing = startProcess([script, '--seeds', String(size)], {});
    playing.child.stdout!.on('data', (chunk: Buffer) => ground.say(chunk.toString().trim()));
    const end = await playing.ended;
    const lines = playing.said().trim().split('\n');
    const totals = /^\d+ seeds, .* failed; (\{.*\})$/.exec(lines.at(-1) ?? '')?.[1];
    if (totals === undefined) throw new Error(`the simulation ended with ${end}:\n${playing.said()}`);
    const { events, findings, steps, crashes } = JSON.parse(totals) as Record<string, number>;
    return {
      size: `${size} seeds, ${crashes} crashes`,
      compared: 'findings, incidents, jobs, messages and steps with the oracle, a sequential reference',
      differences: end === 0 ? [] : lines.filter((line) => /^\d+ seeds, /.test(line) === false),
      figure: `${events} events, ${findings} findings, ${steps} steps`,
    };
  },
};
