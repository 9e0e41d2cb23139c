import { exampleLock, examplePolicies } from '@tripline/access/access.example';
import type { LoggedJob } from '@tripline/access/known-run';
import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import { loadConfig } from '@tripline/config/config';
import type { TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import type { Db } from '@tripline/db/database';
import { inTransaction } from '@tripline/db/transaction';
import { setRemediationSwitch } from '@tripline/incidents/kill-switch';
import { createGitHubGate } from '@tripline/integrations/github/gate';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { credentialHash } from '@tripline/runtime/redact';
import { github as feed } from '@tripline/sources/github/source';
import { createWorkspaces } from '@tripline/sources/workspace';
import { openStream } from '@tripline/stream/open';
import { topics } from '@tripline/stream/stream';
import { type FakeGate, startFakeGate } from '@tripline/testing/fakes/github-gate';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { brokerKey } from '@tripline/testing/internal-key';
import { openapiBodies } from '@tripline/testing/openapi-bodies';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { startBroker, startIssuer } from '@tripline/testing/services/broker';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { recordFindings, someFinding } from '../../test/faults/recorded-findings.ts';
import { createEndMeasures } from './end-measures.ts';
import { answerDue, hearQuestions, startGate } from './gate.ts';
import type { AnswerParts } from './gate-answer.ts';
import { createGateMeasures } from './gate-measures.ts';
import { questionType } from './gate-questions.ts';
import { keysOfJob } from './keys.ts';
import type { PoliciesInForce } from './local-policies.ts';
import type { ToStandFor } from './step-up.ts';
import type { StandsFor } from './store/approvals.ts';
import { claimQuestions, noteQuestions, type Question } from './store/gates.ts';
import { createWatch } from './watch.ts';

const startMs = Date.parse('2026-11-28T09:00:00Z');
const [workerA, workerB] = ['00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b'] as const;
const sha = '5779607b49aab1200488439f02372c57b4f75444';

let db: Db;
let cli: Db;
let owner: Db;
forEachTest((database) => {
  db = database.as('broker');
  cli = database.as('cli');
  owner = database.db;
});
let github: FakeGate;
let stream: ReturnType<typeof fakeStream>;
let nowMs: number;
let inForce: PoliciesInForce | { fault: string };
let parts: AnswerParts;
const lines: string[] = [];
beforeEach(async () => {
  github = await startFakeGate();
  stream = fakeStream();
  nowMs = startMs;
  lines.length = 0;
  inForce = policies(examplePolicies.replace('mfa: { of: trigger, within: 15m }', ''));
  parts = {
    ...{ db, stream, config: { broker: { eventKeys: [brokerKey] } }, instance: 'github.com' },
    clock: { nowMs: () => nowMs, pause: async () => {} },
    logger: createLogger({ service: 'broker', level: 'trace' }, { write: (line: string) => void lines.push(line) }),
    measures: createGateMeasures(createMetrics({ service: 'broker' })),
    policies: () => inForce,
    gate: createGitHubGate([app('2'), app('1')], { nowMs: () => nowMs, onLeftAlive: (reason) => lines.push(reason) }),
  };
});
afterEach(() => github.close());

/** App 1 was asked; of App 2 is another installation. Both have the fake's answers, which knows one installation. */
const app = (id: string) => ({ id, apiUrl: github.url, privateKey: github.privateKey, timeoutMs: 500 });
const policies = (text: string): PoliciesInForce => ({
  ...{ file: readPolicies(text.replace(/ +tests:[\s\S]*$/, '')), lock: readLock(exampleLock) },
  ...{ sha256: 'a'.repeat(64), revision: 'b'.repeat(40) },
});

const question = (change: Partial<Question> = {}): Question => ({
  ...{ id: 'github:q1', workspace: 'acme', instance: 'github.com', repository: { id: '74', name: 'acme/api' } },
  ...{ owner: { id: '65', name: 'acme' }, runId: '9', environment: 'production', installation: '4711' },
  ...{ deploymentId: '501', ...change },
});
const asked = (...questions: Question[]) =>
  inTransaction(db, (client) => noteQuestions(client, questions.length === 0 ? [question()] : questions, nowMs));

/** The log told of the run’s job that waits. */
async function told(change: { known?: Partial<LoggedJob['known']>; job?: Partial<LoggedJob['job']> } = {}) {
  const job: LoggedJob = {
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
  await owner.pool.query(
    `INSERT INTO known_runs VALUES ('acme', 'github:github.com:74#9', $1, now())
     ON CONFLICT (workspace, run) DO UPDATE SET jobs = excluded.jobs`,
    [JSON.stringify([job])],
  );
}

const answer = (by: string = workerA) => answerDue(parts, by);
const rowOf = async (id = 'github:q1') =>
  (await owner.pool.query('SELECT * FROM access_gates WHERE id = $1', [id])).rows[0];
/** A worker that died or is frozen has had its questions in hand for long enough, by the database's clock. */
const claimsExpire = () =>
  owner.pool.query('UPDATE access_gates SET claimed_until = clock_timestamp() WHERE claimed_by IS NOT NULL');
/** What was told of decisions; the tokens with which they are said are told beside. */
const decided = () => stream.appended.filter(({ headers }) => headers['ce_type']?.includes('gate.decided'));
const events = () =>
  decided().map(({ headers, value }) => ({
    id: headers['ce_id'],
    ...(JSON.parse(value.toString()) as Record<string, unknown>),
  }));

describe('a deployment of a job of which all is known', () => {
  test('is claimed in turn with those of other repositories, however many those are', async () => {
    const many = Array.from({ length: 50 }, (_, nth) => question({ id: `m${nth}`, deploymentId: String(600 + nth) }));
    await asked(...many);
    nowMs += 1000;
    await asked(question({ id: 'other', repository: { id: '75', name: 'acme/web' }, deploymentId: '700' }));
    const claimed = await claimQuestions(db, { by: workerA, nowMs, forMs: 60_000 }, { fresh: 4, failing: 0 });
    expect(claimed.map(({ id }) => id)).toContain('other');
  });

  test('is answered with a token that the log names before it is used', async () => {
    await told();
    await asked();
    const named: string[][] = [];
    github.instead = ({ method, path }) => {
      const isOfApp = path.startsWith('/app/') || method === 'DELETE';
      if (!isOfApp) named.push(stream.appended.map(({ headers }) => headers['ce_type']!.split('-').at(-1)!));
      return undefined;
    };
    await answer();
    expect(named[0]).toEqual(['credential.minted']);
    const [{ value, headers }] = stream.appended as [(typeof stream.appended)[number]];
    expect(headers['ce_id']).toMatch(/^gate:github:q1:minted:/);
    expect(JSON.parse(value.toString())).toMatchObject({
      'tripline.credential.token_hash': credentialHash(`ghs_${'1'.padStart(36, '0')}`),
      ...{
        'vcs.repository.id': '74',
        'cicd.pipeline.run.id': '9',
        'tripline.access.grant': expect.stringMatching(/^gate:github:q1:/),
      },
    });
  });

  test('is approved with every condition, and the log has it first', async () => {
    await told();
    await asked();
    github.instead = ({ path }) => {
      if (path.endsWith('/deployment_protection_rule')) expect(decided()).toHaveLength(1);
      return undefined;
    };
    await answer();
    expect(github.words).toEqual([
      {
        ...{ environment: 'production', state: 'approved' },
        comment:
          '**Tripline approved by policy `deploy-api`**\n\n- ✓ repository\n- ✓ caller\n- ✓ event\n- ✓ ref\n- ✓ environment\n- ✓ fork\n- ✓ reviewed\n- ✓ promoted\n- ✓ incident',
      },
    ]);
    expect(events()).toMatchObject([
      {
        ...{ id: 'gate:github:q1:granted', 'tripline.access.decision': 'granted', 'vcs.ref.head.revision': sha },
        ...{ 'tripline.deployment.question': 'github:q1', 'tripline.access.policy': 'deploy-api' },
        ...{ 'cicd.pipeline.run.id': '9', 'tripline.pipeline.run.attempt': 1, 'deployment.id': '501' },
      },
    ]);
    expect(events()[0]).not.toHaveProperty('tripline.access.dry_run');
    expect(await rowOf()).toMatchObject({ state: 'answered', decision: 'granted', attempt: 1, last_fault: null });
    await expect.poll(() => github.alive()).toBe(0);
    expect(await answer()).toBe(0);
  });

  test('is rejected with what speaks against it, and what strangers name is neither link nor mention', async () => {
    await told({
      job: { ref: 'refs/heads/`@acme/all`](https://evil.example)' },
      known: { reviewed: { is: 'unreviewed', why: 'pushed by mallory after it was approved' }, deployedTo: [] },
    });
    await asked();
    await answer();
    const [word] = github.words;
    expect(word).toMatchObject({ state: 'rejected' });
    expect(word!.comment).toMatch(/^\*\*Tripline rejected by policy `deploy-api`\*\*\n\n- ✗ \*\*ref\*\*: `wanted is /);
    expect(word!.comment).toContain(
      '- ✗ **reviewed**: `wanted is a commit that somebody else reviewed, and it is one that is not: pushed by mallory after it was approved` Have the commit reviewed',
    );
    expect(word!.comment).toContain('- ✗ **promoted**');
    for (const line of word!.comment.split('\n')) expect(line.replace(/`[^`]*`/g, '')).not.toMatch(/[@[\]]/);
    expect(word!.comment.length).toBeLessThanOrEqual(1024);
    expect(events()).toMatchObject([{ 'tripline.access.decision': 'denied' }]);
  });

  test('is rejected where an open incident names its run, and no policy is for it', async () => {
    await told();
    const entities = [{ kind: 'run' as const, id: 'acme/api#9', key: 'github:github.com:74#9' }];
    await recordFindings(owner, [{ ...someFinding('one', { person: 'ada' }), entities }]);
    await asked();
    await answer();
    expect(github.words).toMatchObject([
      { state: 'rejected', comment: expect.stringMatching(/incident.*\(critical\)/) },
    ]);
    github.waiting.add('staging').add('elsewhere');
    await asked(question({ id: 'q2', environment: 'staging', deploymentId: null }));
    await asked(question({ id: 'q3', environment: 'elsewhere', deploymentId: null }));
    await answer();
    expect(
      github.words
        .slice(1)
        .map(({ comment }) => comment)
        .sort(),
    ).toEqual([
      expect.stringContaining('a policy of tier staging for this repository'),
      expect.stringContaining('elsewhere, which is of none'),
    ]);
  });
});

describe('what is not known', () => {
  test('is waited for without a word, then with one, and then decided once it is told', async () => {
    await asked();
    await answer();
    expect(github.requests).toEqual([]);
    nowMs += 9000;
    await answer();
    expect(github.words).toMatchObject([{ state: undefined, comment: expect.stringContaining('Tripline waits') }]);
    expect(events()).toMatchObject([{ id: 'gate:github:q1:pending', 'tripline.access.decision': 'pending' }]);
    for (let looks = 0; looks < 5; looks += 1) {
      nowMs += 5000;
      await answer();
    }
    expect(github.words).toHaveLength(1);
    expect(github.requests.length).toBeLessThan(6);
    await told();
    nowMs += 5000;
    await answer();
    expect(github.words.map(({ state }) => state)).toEqual([undefined, 'approved']);
    expect(events().map(({ id }) => id)).toEqual(['gate:github:q1:pending', 'gate:github:q1:granted']);
  });

  test('is a no after ten minutes', async () => {
    await told({ known: { reviewed: { is: 'unknown', why: 'nobody told' } } });
    await asked();
    nowMs += 9 * 60_000;
    await answer();
    expect(github.words).toMatchObject([{ state: undefined }]);
    nowMs += 61_000;
    await answer();
    expect(github.words).toMatchObject([{}, { state: 'rejected' }]);
  });

  test('that another workspace asks about is told nothing: its log knows no such run, and that is no no', async () => {
    await told();
    await asked(question({ workspace: 'other', owner: { id: '66', name: 'other' } }));
    nowMs += 11 * 60_000;
    await answer();
    expect(github.words).toEqual([]);
    expect(await rowOf()).toMatchObject({ state: 'over', decision: null });
  });

  test('a second factor is asked for, with a link that is said anew while it is waited for, and waited for two hours', async () => {
    inForce = policies(examplePolicies);
    let approval: { by: string; ageMs: number; isPhishingResistant: boolean } | undefined;
    const opened: ToStandFor[] = [];
    const sought: StandsFor[] = [];
    parts.stepUps = {
      open: async (of) => {
        opened.push(of);
        return {
          state: 'open',
          id: 'p1',
          url: `https://access.acme.example/step-up/p${opened.length}`,
          number: '4711',
        };
      },
      approvalFor: async (of) => {
        sought.push(of);
        return approval;
      },
    };
    await told();
    await asked();
    await answer();
    const waits = { state: undefined, comment: expect.stringContaining('… **mfa**') };
    expect(github.words).toMatchObject([waits]);
    expect(github.words[0]!.comment).toContain('Open https://access.acme.example/step-up/p1 and type 4711');
    // What is stood for is what the job itself will ask for.
    const { run } = keysOfJob({ ...opened[0]!.job, checkRunId: null } as never, {
      workspace: 'acme',
      instance: 'github.com',
    });
    expect(opened[0]).toMatchObject({ run, workspace: 'acme', policyName: 'deploy-api' });
    expect(sought[0]).toMatchObject({ run, sha, environment: 'production', policy: { name: 'deploy-api' } });
    for (let minutes = 0; minutes < 100; minutes += 1) {
      nowMs += 60_000;
      await answer();
    }
    expect(github.words).toHaveLength(7);
    expect(events().filter(({ id }) => id !== 'gate:github:q1:pending')).toEqual([]);
    approval = { by: 'ada', ageMs: 1000, isPhishingResistant: true };
    nowMs += 5000;
    await answer();
    expect(github.words.at(-1)).toMatchObject({ state: 'approved', comment: expect.stringContaining('✓ mfa') });
    approval = undefined;
    github.waiting.add('production');
    await asked(question({ id: 'q2', deploymentId: '502' }));
    await answer();
    nowMs += 7_200_001;
    await answer();
    expect(github.words.at(-1)).toMatchObject({ state: 'rejected' });
  });

  test('of a run that somebody ran again whoever set it off at first is asked, and an incident of either rejects it', async () => {
    inForce = policies(examplePolicies);
    const opened: ToStandFor[] = [];
    parts.stepUps = {
      open: async (of) => {
        opened.push(of);
        return { state: 'open', id: 'p1', url: 'https://access.acme.example/step-up/p1', number: '4711' };
      },
      approvalFor: async () => undefined,
    };
    github.attempt = 2;
    const again = { run: { id: '9', attempt: 2 }, actor: { id: '7', name: 'mallory' } };
    await told({ job: again });
    await asked();
    await answer();
    expect(opened.map(({ job }) => job.actor)).toEqual([{ id: '3', name: 'ada' }]);
    const ada = { kind: 'user' as const, id: 'ada', key: 'github:github.com:user:3' };
    await recordFindings(owner, [{ ...someFinding('one', { person: 'ada' }), entities: [ada] }]);
    await asked(question({ id: 'q2', deploymentId: '502' }));
    await answer();
    expect(github.words.at(-1)).toMatchObject({ state: 'rejected', comment: expect.stringContaining('**incident**') });
  });

  test('nothing is answered without policies, or while the kill switch is on', async () => {
    await told();
    await asked();
    inForce = { fault: 'nobody reviewed them' };
    await answer();
    inForce = policies(examplePolicies.replace('mfa: { of: trigger, within: 15m }', ''));
    await setRemediationSwitch(cli, { stopped: true, by: { name: 'ada', via: 'cli' } as never });
    nowMs += 5000;
    await answer();
    expect(await rowOf()).toMatchObject({ state: 'open', last_fault: expect.stringContaining('kill switch') });
    expect(github.requests).toEqual([]);
    await setRemediationSwitch(cli, { stopped: false, by: { name: 'ada', via: 'cli' } as never });
    nowMs += 5000;
    await answer();
    expect(github.words).toMatchObject([{ state: 'approved' }]);
  });

  test('a local file decides dry runs: the log has it, GitHub hears nothing', async () => {
    inForce = { ...(inForce as PoliciesInForce), revision: null };
    await asked();
    await answer();
    expect(decided()).toEqual([]);
    await told();
    nowMs += 1000;
    await answer();
    expect(events()).toMatchObject([{ 'tripline.access.decision': 'granted', 'tripline.access.dry_run': true }]);
    expect(github.requests).toEqual([]);
    expect(await rowOf()).toMatchObject({ state: 'over' });
  });
});

describe('one verdict', () => {
  test('for a question that is delivered twice, whatever the delivery is called', async () => {
    await told();
    await asked();
    await asked();
    await asked(question({ id: 'github:again' }));
    await answer();
    await answer();
    expect(github.words).toHaveLength(1);
    expect(await rowOf('github:again')).toBeUndefined();
  });

  test('where a question without a deployment comes again under another id; and one for each job that waits', async () => {
    await told();
    await asked(question({ deploymentId: null }));
    await answer();
    await asked(question({ id: 'github:again', deploymentId: null }));
    await answer();
    nowMs += 30_000;
    await answer();
    expect(github.words).toHaveLength(1);
    expect(await rowOf('github:again')).toMatchObject({ state: 'over' });
    // The log knows that it was looked at.
    expect(events().at(-1)).toMatchObject({ 'tripline.deployment.question': 'github:again' });
    github.waiting.add('production');
    await asked(question({ id: 'github:next-job', deploymentId: null }));
    await answer();
    expect(github.words).toHaveLength(2);
  });

  test('of the attempt that asks: one that ended, or another attempt, is let go', async () => {
    await told();
    await asked();
    github.status = 'completed';
    await answer();
    expect(github.words).toEqual([]);
    expect(await rowOf()).toMatchObject({ state: 'over' });
    expect(events()).toMatchObject([{ 'tripline.access.decision': 'denied', 'tripline.pipeline.run.attempt': 1 }]);
    github.status = 'waiting';
    github.attempt = 2;
    await asked(question({ id: 'github:q2', deploymentId: '502' }));
    nowMs += 9000;
    await answer();
    // What is known is known of attempt 1.
    expect(github.words).toMatchObject([{ state: undefined }]);
    await told({ job: { run: { id: '9', attempt: 2 } } });
    nowMs += 5000;
    await answer();
    expect(github.words).toMatchObject([{}, { state: 'approved' }]);
  });

  test('none any more where somebody went past the gate while it waited, though all holds later', async () => {
    await told({ known: { reviewed: { is: 'unknown', why: 'nobody told' } } });
    await asked();
    nowMs += 9000;
    await answer();
    expect(github.words).toMatchObject([{ state: undefined }]);
    github.waiting.clear();
    github.status = 'in_progress';
    await told();
    nowMs += 60_000;
    await answer();
    expect(github.words).toHaveLength(1);
    expect(events().map(({ id }) => id)).toEqual(['gate:github:q1:pending', 'gate:github:q1:denied']);
    expect(await rowOf()).toMatchObject({ state: 'over' });
  });

  test('of a deployment that GitHub lists a moment after it asked', async () => {
    await told();
    await asked();
    github.waiting.clear();
    await answer();
    expect(await rowOf()).toMatchObject({ state: 'open' });
    github.waiting.add('production');
    nowMs += 1000;
    await answer();
    expect(github.words).toMatchObject([{ state: 'approved' }]);
  });

  test('though whoever said it was killed before it could note that', async () => {
    await told();
    await asked();
    let kill = true;
    github.instead = ({ path }) => {
      if (path.endsWith('/deployment_protection_rule') && kill) {
        kill = false;
        // GitHub took it; the answer was lost with the process.
        github.words.push({ environment: 'production', state: 'approved', comment: '' });
        github.waiting.delete('production');
        return { status: 204, manner: 'silent' };
      }
      return undefined;
    };
    await answer();
    expect(await rowOf()).toMatchObject({
      state: 'open',
      decision: 'granted',
      last_fault: expect.stringContaining('timeout'),
    });
    nowMs += 60_001;
    await answer(workerB);
    expect(github.words).toHaveLength(1);
    expect(await rowOf()).toMatchObject({ state: 'answered', decision: 'granted' });
    expect(new Set(events().map(({ id }) => id))).toEqual(new Set(['gate:github:q1:granted']));
  });

  test('of two replicas, of which one is frozen with the question in hand', async () => {
    await told();
    await asked();
    const [frozen] = await claimQuestions(db, { by: workerA, nowMs, forMs: 60_000 }, { fresh: 1, failing: 1 });
    expect(frozen).toBeDefined();
    // However far ahead the other's own clock is.
    nowMs += 600_000;
    expect(await answer(workerB)).toBe(0);
    nowMs -= 600_000;
    await claimsExpire();
    expect(await answer(workerB)).toBe(1);
    expect(github.words).toHaveLength(1);
    const { answerQuestion } = await import('./gate-answer.ts');
    github.waiting.add('production');
    await answerQuestion(parts, workerA, frozen!);
    expect(github.words).toHaveLength(1);
    expect(decided()).toHaveLength(1);
  });

  test('a denial stays one, whatever is learned before GitHub takes it', async () => {
    await told({ known: { deployedTo: [] } });
    await asked();
    github.instead = ({ path }) => (path.endsWith('_rule') ? { status: 502, body: '{}' } : undefined);
    await answer();
    await told();
    github.instead = undefined;
    nowMs += 60_000;
    await answer();
    expect(github.words).toMatchObject([{ state: 'rejected' }]);
    expect(events().map(({ id }) => id)).toEqual(['gate:github:q1:denied', 'gate:github:q1:denied']);
  });

  test('an approval that GitHub has not taken is none any more once something speaks against it', async () => {
    await told();
    await asked();
    github.instead = ({ path }) => (path.endsWith('_rule') ? { status: 503, body: '{}' } : undefined);
    await answer();
    await told({ known: { reviewed: { is: 'unreviewed', why: 'its approval was dismissed' } } });
    github.instead = undefined;
    nowMs += 60_000;
    await answer();
    expect(github.words).toMatchObject([{ state: 'rejected' }]);
  });
});

describe('GitHub', () => {
  test.each<
    [
      string,
      () => { status: number; headers?: Record<string, string>; body?: string; manner?: 'silent' | 'half' },
      string,
    ]
  >([
    ['500', () => ({ status: 500, body: '{}' }), 'provider-failed'],
    ['429', () => ({ status: 429, headers: { 'retry-after': '20' }, body: '{}' }), 'rate-limited'],
    ['silence', () => ({ status: 200, manner: 'silent' }), 'timeout'],
    ['half an answer', () => ({ status: 200, body: '{"id":', manner: 'half' }), 'broken-off'],
    [
      'another run',
      () => ({ status: 200, body: '{"id":8,"run_attempt":1,"status":"waiting","repository":{"id":74}}' }),
      'unexpected',
    ],
  ])('answers %s when it is asked: nothing is said, and it is tried again', async (_, answers, reason) => {
    await told();
    await asked();
    github.instead = ({ path }) => (path.endsWith('/runs/9') ? answers() : undefined);
    await answer();
    expect(await rowOf()).toMatchObject({ state: 'open', decision: null, last_fault: expect.stringContaining(reason) });
    expect(decided()).toEqual([]);
    github.instead = undefined;
    nowMs += 60_000;
    await answer();
    expect(github.words).toMatchObject([{ state: 'approved' }]);
  });

  test.each([403, 404, 422])(
    'answers %d to the verdict: what waits no more is answered, what waits is tried again',
    async (status) => {
      await told();
      await asked();
      github.instead = ({ path }) => (path.endsWith('_rule') ? { status, body: '{"message":"No"}' } : undefined);
      await answer();
      expect(await rowOf()).toMatchObject({ state: 'open', last_fault: expect.stringContaining('No') });
      github.waiting.clear();
      nowMs += 60_000;
      await answer();
      expect(await rowOf()).toMatchObject({ state: 'answered' });
    },
  );

  test('asked an App that nobody configured: said, and tried again', async () => {
    await told();
    await asked(question({ installation: '9999' }));
    await answer();
    expect(await rowOf()).toMatchObject({ last_fault: expect.stringContaining('no-app') });
  });

  test('refuses for good a hundred questions: a new one is answered at once, and theirs are asked ever more seldom', async () => {
    const stuck = Array.from({ length: 100 }, (_, nth) =>
      question({ id: `s${nth}`, installation: '12', deploymentId: String(600 + nth) }),
    );
    await told();
    await asked(...stuck);
    while ((await answer()) > 0) {
      // Until all were tried once.
    }
    nowMs += 60_000;
    await asked();
    // A worker takes what fails, and what is new beside it.
    expect(await answer()).toBe(9);
    expect(github.words).toMatchObject([{ state: 'approved' }]);
    while ((await answer()) > 0) {
      // All twice.
    }
    const { rows } = await owner.pool.query(
      `SELECT DISTINCT tries, extract(epoch FROM due_at)::float8 * 1000 - $1 AS pause FROM access_gates WHERE state = 'open'`,
      [nowMs],
    );
    expect(rows).toEqual([{ tries: 2, pause: 60_000 }]);
  });

  test('is told nothing while the log is away', async () => {
    await told();
    await asked();
    stream.away = true;
    await answer();
    expect(github.words).toEqual([]);
    stream.away = false;
    nowMs += 60_000;
    await answer();
    expect(github.words).toMatchObject([{ state: 'approved' }]);
  });
});

test('a question that is noted is answered within a second, and what is on its way is finished at the end', async () => {
  await told();
  const clock = {
    nowMs: () => Date.now(),
    pause: async (ms: number) => void (await new Promise((done) => setTimeout(done, ms))),
  };
  parts = { ...parts, clock };
  const gate = startGate(parts);
  await expect.poll(() => lines.join('')).not.toContain('LISTEN connection lost');
  nowMs = Date.now();
  const sinceMs = performance.now();
  await asked();
  await expect.poll(() => github.words.length, { interval: 5, timeout: 5000 }).toBe(1);
  expect(performance.now() - sinceMs).toBeLessThan(1000);
  await gate.close();
  expect(await rowOf()).toMatchObject({ state: 'answered' });
});

test('what GitHub asks comes through the log, once; what it asks people, and what a drill plays, is not for the gate', async () => {
  const config = loadConfig({ TRIPLINE_KAFKA_PARTITIONS: '1' }, '/nonexistent');
  const logger = createLogger({ service: 'test', level: 'silent' });
  const written = await openStream({ config, db: owner, logger, clock: systemClock });
  const read = await openStream({ config, db, logger, clock: systemClock });
  const measures = createEndMeasures(createMetrics({ service: 'test' }), async () => ({ leftAlive: 0, live: [] }));
  const alsoHears = { type: questionType, note: hearQuestions };
  const watch = await createWatch({ stream: read, db, clock: systemClock, logger, measures, alsoHears });
  const data = {
    ...{ 'vcs.provider.name': 'github', 'vcs.repository.name': 'acme/api', 'vcs.repository.id': '74' },
    ...{ 'vcs.owner.name': 'acme', 'vcs.owner.id': '65', 'cicd.pipeline.run.id': '9', 'deployment.id': '501' },
    ...{ 'deployment.environment.name': 'production', 'tripline.deployment.decision': 'requested' as const },
    'tripline.deployment.gate': '4711',
  };
  const { 'tripline.deployment.gate': _, ...people } = data;
  const event = (id: string, of: object, workspace = 'acme') => ({
    topic: topics.events,
    ...toEventRecord({
      ...{ id, source: '//github.com/acme', type: questionType, time: '2026-11-28T09:00:00Z', workspace },
      ...{ trust: 'high', data: of as never },
    } as TriplineEvent),
  });
  await written.append([
    event('people', people),
    event('drill', data, 'tripline-drill-1'),
    event('no-run', { ...data, 'cicd.pipeline.run.id': undefined }),
    event('odd-run', { ...data, 'cicd.pipeline.run.id': '9/../8' }),
    event('asked', data),
    event('again', data),
  ]);
  const rows = async () =>
    (await owner.pool.query('SELECT id, run_id, installation, deployment_id FROM access_gates')).rows;
  await expect
    .poll(rows, { timeout: 5000 })
    .toEqual([{ id: 'asked', run_id: '9', installation: '4711', deployment_id: '501' }]);
  await watch.close();
  await read.close();
  await written.close();
});

test('the broker hears the question in the log, and answers it at the configured GitHub', async () => {
  const config = loadConfig({ TRIPLINE_KAFKA_PARTITIONS: '1' }, '/nonexistent');
  const logger = createLogger({ service: 'test', level: 'silent' });
  const written = await openStream({ config, db: owner, logger, clock: systemClock });
  const read = await openStream({ config, db, logger, clock: systemClock });
  const issuer = await startIssuer();
  await told();
  const given = { github: { apiUrl: github.url, app: { id: '1', privateKey: github.privateKey } } };
  const broker = await startBroker(
    { db, stream: read, issuer },
    { settings: given as never, seams: { policies: () => inForce, isCaughtUp: undefined as never } },
  );
  const body = openapiBodies().find(({ operation }) => operation === 'deployment-protection-rule-requested')!;
  const account = { login: 'acme', id: 65 };
  const rawBody = Buffer.from(
    JSON.stringify({
      ...(body.whole as object),
      ...{ environment: 'production', deployment: null, installation: { id: 4711 }, organization: account },
      repository: { id: 74, full_name: 'acme/api', owner: account, html_url: 'https://github.com/acme/api' },
      deployment_callback_url: 'https://evil.example/actions/runs/9/deployment_protection_rule',
    }),
  );
  const headers = { 'x-github-event': 'deployment_protection_rule', 'x-github-delivery': 'q-1' };
  const received = { headers, rawBody, bodySha256: 'a'.repeat(64), receivedAtMs: Date.now() };
  const workspaces = createWorkspaces({ workspaces: [], drills: false });
  const normalised = feed.normalise({ ...received, secretScope: { kind: 'anybody' } }, workspaces);
  if (!('event' in normalised)) throw new Error(JSON.stringify(normalised));
  // The detector has judged what the broker has read.
  await owner.pool.query(
    `INSERT INTO positions (consumer, topic, partition, next, log_time_ms, epoch) VALUES ('detector', $1, 0, 1000, 1, 1)`,
    [topics.events],
  );
  await written.append([{ topic: topics.events, ...toEventRecord(normalised.event) }]);
  await expect.poll(() => github.words, { timeout: 10_000 }).toMatchObject([{ state: 'approved' }]);
  await broker.close();
  const log = await owner.pool.query(
    "SELECT headers->>'ce_id' AS id FROM log WHERE headers->>'ce_type' LIKE '%gate.decided'",
  );
  expect(log.rows).toEqual([{ id: 'gate:github:q-1:granted' }]);
  await issuer.close();
  await read.close();
  await written.close();
});
