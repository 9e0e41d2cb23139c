import { exampleLock, examplePolicies } from '@tripline/access/access.example';
import type { LoggedJob } from '@tripline/access/known-run';
import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import { answerDue } from '@tripline/broker/gate';
import type { AnswerParts } from '@tripline/broker/gate-answer';
import { createGateMeasures } from '@tripline/broker/gate-measures';
import type { PoliciesInForce } from '@tripline/broker/local-policies';
import { noteQuestions, type Question } from '@tripline/broker/store/gates';
import { inTransaction } from '@tripline/db/transaction';
import { createGitHubGate } from '@tripline/integrations/github/gate';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { startFakeGate } from '../fakes/github-gate.ts';
import { fakeStream } from '../fakes/stream.ts';
import { brokerKey } from '../internal-key.ts';
import { freshDatabase } from '../postgres/postgres.ts';

/** Names of workers, by which they claim questions. */
export const [workerA, workerB] = [
  '00000000-0000-4000-8000-00000000000a',
  '00000000-0000-4000-8000-00000000000b',
] as const;
/** The commit of the run that waits. */
export const sha = '5779607b49aab1200488439f02372c57b4f75444';

/** Policies in force, as YAML; their own tests are left out. */
export const policiesAt = (text: string): PoliciesInForce => ({
  ...{ file: readPolicies(text.replace(/ +tests:[\s\S]*$/, '')), lock: readLock(exampleLock) },
  ...{ sha256: 'a'.repeat(64), revision: 'b'.repeat(40) },
});
/** The example's, where nobody has to prove a second factor. */
export const usualPolicies = (): PoliciesInForce =>
  policiesAt(examplePolicies.replace('mfa: { of: trigger, within: 15m }', ''));

/** What GitHub asks of run 9 of acme/api, but for a change. */
export const question = (change: Partial<Question> = {}): Question => ({
  ...{ id: 'github:q1', workspace: 'acme', instance: 'github.com', repository: { id: '74', name: 'acme/api' } },
  ...{ owner: { id: '65', name: 'acme' }, runId: '9', environment: 'production', installation: '4711' },
  ...{ deploymentId: '501', ...change },
});

/** The gate over a database of its own, a fake log and a GitHub at which one run waits. The clock is moved by tests. For tests only. */
export async function startGateStage() {
  const fresh = await freshDatabase();
  const [db, owner] = [fresh.as('broker'), fresh.db];
  const [github, stream] = [await startFakeGate(), fakeStream()];
  const lines: string[] = [];
  const metrics = createMetrics({ service: 'broker' });
  /** App 1 was asked; of App 2 is another installation. Both have the fake's answers, which knows one installation. */
  const app = (id: string) => ({ id, apiUrl: github.url, privateKey: github.privateKey, timeoutMs: 500 });
  /** What was told of decisions; the tokens with which they are said are told beside. */
  const decided = () => stream.appended.filter(({ headers }) => headers['ce_type']?.includes('gate.decided'));
  const g = {
    ...{ db, owner, cli: fresh.as('cli'), github, stream, decided },
    /** What was logged. */
    lines,
    metrics: () => metrics.metrics(),
    nowMs: Date.parse('2026-11-28T09:00:00Z'),
    inForce: usualPolicies() as PoliciesInForce | { fault: string },
    parts: undefined as unknown as AnswerParts,
    asked: (...questions: Question[]) =>
      inTransaction(db, (client) => noteQuestions(client, questions.length === 0 ? [question()] : questions, g.nowMs)),
    /** The log told of the run’s job that waits. */
    async told(change: { known?: Partial<LoggedJob['known']>; job?: Partial<LoggedJob['job']> } = {}) {
      await owner.pool.query(
        `INSERT INTO known_runs VALUES ('acme', 'github:github.com:74#9', $1, now())
         ON CONFLICT (workspace, run) DO UPDATE SET jobs = excluded.jobs`,
        [JSON.stringify([waitingJob(change)])],
      );
    },
    /** Answers what is due. @returns how many those were. */
    answer: (by: string = workerA) => answerDue(g.parts, by),
    rowOf: async (id = 'github:q1') =>
      (await owner.pool.query('SELECT * FROM access_gates WHERE id = $1', [id])).rows[0],
    /** A worker that died or is frozen has had its questions in hand for long enough, by the database's clock. */
    claimsExpire: () =>
      owner.pool.query('UPDATE access_gates SET claimed_until = clock_timestamp() WHERE claimed_by IS NOT NULL'),
    events: () =>
      decided().map(({ headers, value }) => ({
        id: headers['ce_id'],
        ...(JSON.parse(value.toString()) as Record<string, unknown>),
      })),
    async close() {
      await github.close();
      await fresh.close();
    },
  };
  g.parts = {
    ...{ db, stream, config: { broker: { eventKeys: [brokerKey] } }, instance: 'github.com' },
    clock: { nowMs: () => g.nowMs, pause: async () => {} },
    logger: createLogger({ service: 'broker', level: 'trace' }, { write: (line: string) => void lines.push(line) }),
    measures: createGateMeasures(metrics),
    policies: () => g.inForce,
    gate: createGitHubGate([app('2'), app('1')], {
      nowMs: () => g.nowMs,
      onLeftAlive: (reason) => lines.push(reason),
    }),
  };
  return g;
}
export type GateStage = Awaited<ReturnType<typeof startGateStage>>;

function waitingJob(change: { known?: Partial<LoggedJob['known']>; job?: Partial<LoggedJob['job']> }): LoggedJob {
  return {
    ...{ name: 'deploy', referenced: [], startedMs: undefined, finishedMs: undefined },
    job: {
      ...{ provider: 'github', repository: { id: '74', name: 'acme/api' }, run: { id: '9', attempt: 1 } },
      ...{ checkRunId: '1', event: 'push', ref: 'refs/heads/main', sha, headRef: null, baseRef: null },
      caller: { ref: 'acme/api/.github/workflows/release.yml@refs/heads/main', sha: null },
      workflow: { ref: 'acme/api/.github/workflows/release.yml@refs/heads/main', sha: '' },
      ...{ environment: 'production', runnerEnvironment: 'github-hosted', actor: { id: '3', name: 'ada' } },
      ...change.job,
    },
    known: {
      ...{ job: 'unknown', fork: false, reviewed: { is: 'reviewed', why: 'approved by bea' } },
      ...{ deployedTo: ['staging'], runner: undefined, ...change.known },
    },
    things: [{ kind: 'run', id: 'acme/api#9', key: 'github:github.com:74#9' }],
  };
}
