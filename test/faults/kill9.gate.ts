import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { openAccess } from './access-ground.ts';
import { openGate } from './gate-ground.ts';
import { pointsOf } from './points.ts';
import type { Victim } from './victim.ts';

const atOnce = 8;

/** The broker as it answers GitHub's deployment protection rule. Whoever dies holds its questions until its claims run out. */
export const gate: Victim = {
  service: 'gate',
  compared: 'what GitHub was told of each deployment with what the policies give, and with what the log says',
  points: pointsOf('gate'),
  passings: 6,
  sampled: 4,
  async open(ground) {
    const database = await freshDatabaseOn(ground.postgresUrl);
    const access = await openAccess(database);
    const asked = openGate(access);
    access.github.provider.delayMs = 5;
    let jobs = 0;
    return {
      async dieAt(failpoint) {
        await asked.claimsExpire();
        const victim = access.start({ FAILPOINT: failpoint });
        let end: number | string | undefined;
        victim.ended.then((how) => (end = how));
        const url = await victim.url.catch((error) => {
          if (victim.child.exitCode === null && victim.child.signalCode === null) throw error;
        });
        const endMs = performance.now() + 20_000;
        while (url !== undefined && end === undefined && performance.now() < endMs) {
          await Promise.all(Array.from({ length: atOnce }, () => asked.begin(jobs++)));
          await Promise.race([victim.ended, asked.answered(2000)]);
        }
        const isDead = url === undefined || end !== undefined;
        if (!isDead) await victim.kill();
        else if ((await victim.ended) !== 'SIGKILL') throw new Error(`the broker ended with ${end}:\n${victim.said()}`);
        return isDead;
      },
      async finish() {
        await asked.claimsExpire();
        const last = access.start();
        await last.url;
        await asked.answered(60_000);
        const differences = await asked.differences();
        await last.kill('SIGTERM');
        return [...differences, ...(jobs === 0 ? ['nothing was asked, which proves nothing'] : [])];
      },
      async close() {
        await access.close();
        await database.close();
      },
    };
  },
};
