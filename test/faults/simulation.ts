import { join } from 'node:path';
import type { Fault, Ground } from './fault.ts';
import { startProcess } from './service-process.ts';

const script = join(import.meta.dirname, '../simulation/run.ts');

/** Seeds of one play of the simulation, in a process of its own since it has the platform's timers, chance and clock in its hands. */
async function playSeeds(play: string, { size, say }: { size: number; say: Ground['say'] }) {
  const playing = startProcess([script, '--play', play, '--seeds', String(size)], {});
  playing.child.stdout!.on('data', (chunk: Buffer) => say(chunk.toString().trim()));
  const end = await playing.ended;
  const lines = playing.said().trim().split('\n');
  const totals = /^\w+: \d+ seeds, .* failed; (\{.*\})$/.exec(lines.at(-1) ?? '')?.[1];
  if (totals === undefined) throw new Error(`the simulation ended with ${end}:\n${playing.said()}`);
  return {
    totals: JSON.parse(totals) as Record<string, number>,
    differences: end === 0 ? [] : lines.filter((line) => /^\w+: \d+ seeds, /.test(line) === false),
  };
}

/** In full as many as take a core some ten minutes; `npm run simulate` plays any number. */
export const simulation: Fault = {
  name: 'simulation',
  what: 'lost replies, broken connections, crashes, late and doubled records, faulty sinks, by chance under a seed',
  sizes: { ci: 80, full: 1500, unit: 'seeds' },
  async run({ say }, size) {
    const { totals, differences } = await playSeeds('log', { size, say });
    const { events, findings, steps, crashes } = totals;
    return {
      size: `${size} seeds, ${crashes} crashes`,
      compared: 'findings, incidents, jobs, messages and steps with the oracle, a sequential reference',
      differences,
      figure: `${events} events, ${findings} findings, ${steps} steps`,
    };
  },
};

/** Brokers by chance: what access-race and kill9-broker play in real time, in orders that these seldom meet. */
export const accessSimulation: Fault = {
  name: 'access-simulation',
  what: 'jobs that ask, end, hang and are run again, while brokers crash and freeze, clocks step, what they call fails, incidents open and policies narrow, by chance under a seed',
  sizes: { ci: 30, full: 1000, unit: 'seeds' },
  async run({ say }, size) {
    const { totals, differences } = await playSeeds('access', { size, say });
    const { requests, minted, steps, crashes } = totals;
    return {
      size: `${size} seeds, ${crashes} crashes`,
      compared: 'what was given, and what became of it, with what happened to each job',
      differences: minted === 0 ? ['nothing was minted, which proves nothing', ...differences] : differences,
      figure: `${requests} requests, ${minted} minted, ${steps} steps`,
    };
  },
};
