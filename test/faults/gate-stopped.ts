import { setTimeout as pause } from 'node:timers/promises';
import { openAccess } from './access-ground.ts';
import type { Fault } from './fault.ts';
import { openGate } from './gate-ground.ts';
import { openStoppable } from './stoppable-postgres.ts';

const deploymentsAStop = 80;
const atOnce = 8;

/** Postgres, which holds the log too, stops while questions to the gate arrive and are answered by two brokers, and comes back. */
export const gateStopped: Fault = {
  name: 'gate-stopped',
  what: 'Postgres and the log stopped in the manner `immediate` while the gate is asked and answers',
  sizes: { ci: 1, full: 20, unit: 'stops' },
  async run({ say }, size) {
    const postgres = await openStoppable();
    const ground = await openAccess(postgres.database);
    const gate = openGate(ground);
    const replicas = [ground.start(), ground.start()];
    ground.github.provider.delayMs = 10;
    try {
      await Promise.all(replicas.map((one) => one.url));
      let next = 0;
      const all = size * deploymentsAStop;
      const asking = Promise.all(
        Array.from({ length: atOnce }, async () => {
          for (let job = next++; job < all; job = next++) {
            await gate.begin(job);
            await pause((job * 13) % 40);
          }
        }),
      );
      let stops = 0;
      for (; stops < size; stops += 1) {
        while (next < Math.min(all, (stops + 0.2 + ((stops * 0.37) % 0.5)) * deploymentsAStop)) await pause(5);
        await postgres.stopAndStart();
        say(`stop ${stops + 1}, ${next} deployments`);
      }
      await asking;
      // What a claim was lost of with the connection is looked at when it runs out.
      await gate.answered(20_000);
      await gate.claimsExpire();
      const settledMs = await gate.answered(60_000);
      const differences = await gate.differences();
      for (const one of replicas)
        if (one.child.exitCode !== null) differences.push(`a broker ended:\n${one.said().slice(-1000)}`);
      const { size: asked, figure } = gate.figures();
      return {
        size: `${stops} stops, ${asked}`,
        compared: 'what GitHub was told of each deployment with what the policies give, and with what the log says',
        differences,
        figure: `${figure}; the last ${Math.round(settledMs)} ms after the claims of what was interrupted ran out`,
      };
    } finally {
      for (const one of replicas) await one.kill();
      await ground.close();
      await postgres.close();
    }
  },
};
