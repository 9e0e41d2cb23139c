import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Intent } from '@tripline/contracts/response';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { startGitHub } from './fake-services.ts';
import { pointsOf } from './points.ts';
import { recordFindings, someFinding } from './recorded-findings.ts';
import { startService, until } from './service-process.ts';
import { setDifferences } from './standing.ts';
import type { Victim } from './victim.ts';

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const settings = `remediation:
  mode: automatic
  maxPerHour: 10
  policy:
    - { rule: privilege-grant-outside-job, minSeverity: high, minConfidence: medium, actions: [revoke-credential, isolate-runner] }
workspaces:
  - { id: acme, github: { organizations: [acme] } }
`;

/** Steps that it is at when it dies: each may leave its token. */
const stepsAtOnce = 16;

/** Findings that arrive while it lives: more than it needs to pass a point for the twelfth time, however slowly it starts. */
const mostInALife = 30;

/** The remediator, with a GitHub that now and then does not do what it is asked, or does not answer; and with fewer places than steps. */
export const remediator: Victim = {
  service: 'remediator',
  compared: 'every step settled and proved dead; each thing changed at GitHub once; no token left alive but by a death',
  points: pointsOf('remediator'),
  passings: 12,
  canPass: (point, passing) => passing <= 2 || !/postpone/.test(point),
  async open(ground) {
    const { db, url, close } = await freshDatabaseOn(ground.postgresUrl);
    const github = await startGitHub({ failEvery: 6, failAskingEvery: 11 });
    const folder = mkdtempSync(join(tmpdir(), 'tripline-remediator-'));
    writeFileSync(join(folder, 'tripline.yaml'), settings);
    let made = 0;
    let deaths = 0;
    const wanted: string[] = [];
    const make = async () => {
      made += 1;
      const response: Intent[] = [
        {
          action: 'isolate-runner',
          provider: 'github',
          instance: 'github.com',
          organization: 'acme',
          runnerId: String(made),
        },
        {
          action: 'revoke-credential',
          provider: 'github',
          instance: 'github.com',
          credential: 'deploy-key',
          repository: 'acme/app',
          credentialId: String(made),
        },
      ];
      wanted.push(`DELETE /orgs/acme/actions/runners/${made}`, `DELETE /repos/acme/app/keys/${made}`);
      await recordFindings(db, [someFinding(`s${made}`, { person: `p${made}`, response })]);
    };
    const start = (more: Record<string, string>) =>
      startService(
        'remediator',
        {
          DATABASE_URL: url,
          TRIPLINE_LOG_LEVEL: 'error',
          TRIPLINE_GITHUB_APP_ID: '9',
          TRIPLINE_GITHUB_APP_PRIVATE_KEY: privateKey,
          TRIPLINE_GITHUB_API_URL: github.url,
          ...more,
        },
        { cwd: folder },
      );
    /**
     * As if a lease's time had passed, and the hour of the cap: what the dead held is free, and so are the places. Two
     * statements, since one would hold every row of `queue` while it waits for a step that a remediator is recording,
     * and the remediator waits for a row of `queue` to tell of it.
     */
    const letTimePass = async () => {
      await db.pool.query(
        `UPDATE remediations SET leased_until = leased_until - interval '61 minutes',
           planned_at = planned_at - interval '5 minutes', due_at = due_at - interval '61 minutes',
           acted_at = acted_at - interval '61 minutes', sent_at = sent_at - interval '61 minutes'`,
      );
      await db.pool.query("UPDATE queue SET due_at = due_at - interval '61 minutes'");
    };

    return {
      async dieAt(failpoint) {
        // Takes up what a death left, where that is what it dies at.
        await letTimePass();
        const victim = start({ FAILPOINT: failpoint });
        let end: number | string | undefined;
        victim.ended.then((how) => (end = how));
        const endMs = performance.now() + 20_000;
        for (let nth = 0; end === undefined && performance.now() < endMs; nth += 1) {
          if (nth < mostInALife) await make();
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        const isDead = end !== undefined;
        if (!isDead) await victim.kill();
        else if (end !== 'SIGKILL') throw new Error(`the remediator ended with ${end}:\n${victim.said()}`);
        deaths += 1;
        return isDead;
      },
      async finish() {
        await letTimePass();
        const last = start({});
        let held = -1;
        const open = async () => {
          const { rows } = await db.pool.query<{ settled: number; queued: number; others: number }>(
            `SELECT count(*) FILTER (WHERE settled_at IS NOT NULL)::int AS settled,
               count(*) FILTER (WHERE state = 'queued')::int AS queued,
               count(*) FILTER (WHERE state IN ('planned', 'acting'))::int AS others FROM remediations`,
          );
          const { settled, queued, others } = rows[0]!;
          // Only what waits for a place is left: an hour later there are places.
          if (queued > 0 && others === 0 && queued !== held) {
            held = queued;
            await letTimePass();
          }
          return settled === wanted.length;
        };
        await until(open, { of: last, patienceMs: 120_000, what: 'every step settled' }).catch(async (error) => {
          const left = await db.pool.query(
            'SELECT finding, ordinal, state, attempts, leased_until - now() AS leased, due_at - now() AS due FROM remediations WHERE settled_at IS NULL LIMIT 5',
          );
          const jobs = await db.pool.query(
            'SELECT item, failures, due_at - now() AS due, claimed_by FROM queue LIMIT 5',
          );
          throw new Error(`${error.message}${JSON.stringify({ of: wanted.length, left: left.rows, jobs: jobs.rows })}`);
        });
        await last.kill('SIGTERM');
        const { rows } = await db.pool.query<{ what: string }>(
          "SELECT state || ' ' || coalesce(check_result, 'unchecked') || ' ' || (request->>'method') || ' ' || (request->>'path') AS what FROM remediations",
        );
        const alive = github.tokens.minted - github.tokens.revoked;
        return [
          ...setDifferences(
            'step',
            rows.map(({ what }) => what),
            wanted.map((request) => `done dead ${request}`),
          ),
          ...setDifferences('change at GitHub', github.changes, wanted),
          ...(alive > stepsAtOnce * deaths ? [`${alive} tokens of ours were left alive by ${deaths} deaths`] : []),
        ];
      },
      async close() {
        await github.close();
        rmSync(folder, { recursive: true, force: true });
        await close();
      },
    };
  },
};
