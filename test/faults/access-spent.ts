import { openAccess, persistently } from './access-ground.ts';
import type { Fault } from './fault.ts';
import { until } from './service-process.ts';
import { openStoppable } from './stoppable-postgres.ts';

/** Postgres writes a commit that nobody waits for within 0.2 s: a stop that comes later shows nothing. */
const lookEveryMs = 2;

/**
 * Postgres stops as soon as it says that a token is spent, and comes back while the broker lives on: where the spending was not on disk
 * by then, the token is as good as before, and its job has been told that it may go on.
 */
export const accessSpent: Fault = {
  name: 'access-spent',
  what: 'Postgres stopped in the manner `immediate` as soon as a token is spent, while its job waits for what the log has yet to tell',
  sizes: { ci: 2, full: 50, unit: 'stops' },
  async run({ say }, size) {
    const postgres = await openStoppable();
    const ground = await openAccess(postgres.database);
    const broker = ground.start();
    const answers = new Map<string, number>();
    const count = (what: string) => answers.set(what, (answers.get(what) ?? 0) + 1);
    const isSpent = async (before: number) => {
      const { rows } = await ground.db.pool.query<{ spent: number }>('SELECT count(*)::int AS spent FROM access_spent');
      return rows[0]!.spent > before;
    };
    const differences: string[] = [];
    try {
      const url = await broker.url;
      for (let job = 0; job < size; job += 1) {
        say(`stop ${job + 1}`);
        const token = await ground.token(job);
        const first = ground.ask(url, token, { job });
        await until(() => isSpent(job), { of: broker, what: 'a token that is spent', everyMs: lookEveryMs });
        await postgres.stopAndStart();
        await persistently(() => ground.tellOf([job]));
        const { status } = await first;
        count(`first ${status}`);
        // The log is away for a moment yet, which is said before a token is spent.
        const again = await until(
          async () => {
            const answer = await ground.ask(url, token, { job });
            return answer.status !== 503 && answer;
          },
          { of: broker, what: 'an answer to a token that is shown again', patienceMs: 60_000, everyMs: 50 },
        );
        count(`again ${again.status} ${again.reason}`);
        if (again.reason !== 'token-spent')
          differences.push(`a token was answered ${status}, and shown again ${again.status} ${again.reason ?? ''}`);
      }
      return {
        size: `${size} stops`,
        compared: 'tokens that were spent with what they are good for',
        differences,
        figure: [...answers].map(([what, times]) => `${times} × ${what}`).join(', '),
      };
    } finally {
      await broker.kill();
      await ground.close();
      await postgres.close();
    }
  },
};
