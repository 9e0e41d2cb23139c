import { credentialHash } from '@tripline/runtime/redact';
import { accessDifferences } from './access-ground.ts';
import { type LogPlace, openAccessPlay } from './access-play.ts';
import { pointsOf } from './points.ts';
import { until } from './service-process.ts';
import type { Victim } from './victim.ts';

/** Jobs that ask at once: each may leave a token that nobody was given. */
const atOnce = 2;
/** It asks for keys once an hour, and joins its group as it starts. */
const onceAStart = /keys|join/;
const atPostgresLog = /-(?:append|read)$/;

/**
 * The broker, which gives jobs tokens and revokes them as they end. GitHub cannot be asked for what was minted and not recorded: such
 * a token is nobody's, at most one for each job that asked as it died, and expires.
 */
const brokerOn = (log: LogPlace): Pick<Victim, 'compared' | 'passings' | 'canPass' | 'open'> => ({
  compared: 'what was handed out with what the log names; what lives at the provider with what nobody was handed',
  passings: 8,
  canPass: (point, passing) => passing === 1 || !onceAStart.test(point),
  async open({ postgresUrl }) {
    const play = await openAccessPlay(postgresUrl, log);
    const access = play.ground;
    const { db, github } = access;
    const handedOut = new Map<string, number>();
    let jobs = 0;
    let deaths = 0;

    /** A job's life: it asks, and ends, whatever it was answered. */
    async function live(url: string): Promise<void> {
      jobs += 1;
      const job = jobs;
      await access.tellOf([job]);
      const { token } = await access.ask(url, await access.token(job), { job });
      if (token !== undefined) handedOut.set(token, job);
      await access.end([job]);
    }
    /** As if the claims of the dead had run out, and what they were minting were theirs no more. */
    const letTimePass = () =>
      db.pool.query(
        `WITH aged AS (UPDATE access_grants SET asked_at = asked_at - interval '3 minutes')
         UPDATE access_credentials SET claimed_until = claimed_until - interval '3 minutes'`,
      );

    return {
      async dieAt(failpoint) {
        await letTimePass();
        const victim = access.start({ FAILPOINT: failpoint });
        let end: number | string | undefined;
        victim.ended.then((how) => (end = how));
        const url = await victim.url.catch((error) => {
          if (victim.child.exitCode === null && victim.child.signalCode === null) throw error;
        });
        const endMs = performance.now() + 20_000;
        while (url !== undefined && end === undefined && performance.now() < endMs)
          await Promise.all(Array.from({ length: atOnce }, () => live(url)));
        const isDead = url === undefined || end !== undefined;
        if (!isDead) await victim.kill();
        else if ((await victim.ended) !== 'SIGKILL') throw new Error(`the broker ended with ${end}:\n${victim.said()}`);
        deaths += 1;
        return isDead;
      },
      async finish() {
        await letTimePass();
        const last = access.start();
        await live(await last.url);
        let open: unknown[] = [];
        const settled = async () => {
          const { rows } = await db.pool.query(
            `SELECT job_key, state, ending_why, attempts, last_fault FROM access_grants JOIN access_credentials ON grant_id = id
             WHERE state NOT IN ('dead', 'lost') LIMIT 3`,
          );
          open = rows;
          return rows.length === 0;
        };
        await until(settled, { of: last, patienceMs: 60_000, everyMs: 100 }).catch(() => {});
        await last.kill('SIGTERM');
        const { rows } = await db.pool.query<{ token_hash: string }>(
          'SELECT token_hash FROM access_credentials WHERE token_hash IS NOT NULL',
        );
        const recorded = new Set(rows.map(({ token_hash }) => token_hash));
        const isNobodys = (token: string) => !handedOut.has(token) && !recorded.has(credentialHash(token));
        const nobodys = [...github.alive].filter(isNobodys);
        for (const token of nobodys) github.alive.delete(token);
        return [
          ...(await accessDifferences(access, handedOut)),
          ...open.map((row) => `not settled: ${JSON.stringify(row)}`),
          ...(nobodys.length > atOnce * deaths ? [`${nobodys.length} tokens were left by ${deaths} deaths`] : []),
          ...(handedOut.size === 0 ? [`of ${jobs} jobs none was given anything, which proves nothing`] : []),
        ];
      },
      close: play.close,
    };
  },
});

export const broker: Victim = { service: 'broker', points: pointsOf('broker'), ...brokerOn('Postgres') };

/** Each death costs the next one the 6 s after which Kafka gives up the dead. */
export const brokerOnKafka: Victim = {
  service: 'broker-kafka',
  needsKafka: true,
  points: [...pointsOf('broker').filter((point) => !atPostgresLog.test(point)), ...pointsOf('kafka')],
  sampled: 2,
  ...brokerOn('Kafka'),
};
