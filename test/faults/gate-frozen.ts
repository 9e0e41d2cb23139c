import { setTimeout as pause } from 'node:timers/promises';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { openAccess } from './access-ground.ts';
import type { Fault } from './fault.ts';
import { kindsOfDeployments, openGate } from './gate-ground.ts';

/** Of each kind three. */
const deploymentsARound = 3 * kindsOfDeployments;

/** One of two brokers is frozen with questions in hand, which the other answers once their claims have run out; then it goes on. */
export const gateFrozen: Fault = {
  name: 'gate-frozen',
  what: 'one of two brokers frozen (SIGSTOP) while it answers questions to the gate',
  sizes: { ci: 1, full: 40, unit: 'rounds' },
  async run({ postgresUrl, say }, size) {
    const database = await freshDatabaseOn(postgresUrl);
    const ground = await openAccess(database);
    const gate = openGate(ground);
    const [victim, other] = [ground.start(), ground.start()];
    ground.github.provider.delayMs = 10;
    try {
      await Promise.all([victim.url, other.url]);
      let [heldAtMost, heldInAll] = [0, 0];
      for (let round = 0; round < size; round += 1) {
        const jobs = Array.from({ length: deploymentsARound }, (_, nth) => round * deploymentsARound + nth);
        // At another request in each round, which is as often the other's.
        const frozen = new Promise<void>((resolve) => {
          let left = 4 + ((round * 7) % 40);
          ground.github.provider.misbehaves = () => {
            left -= 1;
            if (left === 0) {
              victim.child.kill('SIGSTOP');
              resolve();
            }
            return undefined;
          };
        });
        await Promise.all([frozen, ...jobs.map((job) => gate.begin(job))]);
        await gate.answered(3000);
        const held = await gate.inHandSince(2000);
        heldAtMost = Math.max(heldAtMost, held);
        heldInAll += held;
        await gate.claimsExpire();
        const tookMs = await gate.answered(30_000);
        victim.child.kill('SIGCONT');
        say(`round ${round}: ${held} in hand, answered by the other in ${Math.round(tookMs)} ms`);
      }
      // What it had in hand it goes on with now.
      ground.github.provider.misbehaves = () => undefined;
      await pause(1000);
      const differences = await gate.differences({ mayRepeat: true });
      if (heldAtMost === 0) differences.push('nothing was in hand when it froze, which proves nothing');
      const { size: asked, figure, inVain } = gate.figures();
      if (inVain > heldInAll)
        differences.push(`${inVain} words were said again, and ${heldInAll} questions were in hand when it froze`);
      return {
        size: `${size} rounds, ${asked}`,
        compared: 'what GitHub was told of each deployment with what the policies give, and with what the log says',
        differences,
        figure: `${figure}; ${heldAtMost} in hand at most`,
      };
    } finally {
      for (const one of [victim, other]) await one.kill();
      await ground.close();
      await database.close();
    }
  },
};
