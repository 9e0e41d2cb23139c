import type { PolicyHouse } from './decide.ts';
import type { Known } from './known.ts';
import type { LockFile } from './lock.ts';
import type { Case, Policy } from './policy.ts';
import { memberOf } from './text-set.ts';
import type { AskingJob } from './who-asks.ts';

/** A job and what is known of it. */
export type Supposed = { job: AskingJob; known: Known };

/**
 * A job that is as a policy asks for in everything, but for what `change` says otherwise. A name that is not pinned has an id
 * that is made up, and another name another one.
 */
export function suppose(policy: Policy, { tiers, lock }: PolicyHouse, change: Case): Supposed {
  const job = changed(jobFor(policy.who, lock, tiers[policy.tier]?.[0]), change.job);
  return { job, known: knownFor(policy, tiers, change) };
}

const sha = '0123456789abcdef0123456789abcdef01234567';
const actor = { id: '3', name: 'somebody' };

function jobFor(who: Policy['who'], lock: LockFile, environment: string | undefined): AskingJob {
  if ('github' in who) {
    const { repository, caller, workflow, events, ref, runner } = who.github;
    const called = `${repository}/${memberOf(caller)}`;
    return {
      ...{ provider: 'github', cautions: [], actor, sha, run: { id: '1', attempt: 1 }, checkRunId: '1' },
      ...namedAs(repository, lock.github[repository]),
      caller: { ref: called, sha },
      workflow: { ref: workflow === undefined ? called : memberOf(workflow), sha },
      ...{ event: events[0]!, ref: memberOf(ref), headRef: null, baseRef: null },
      environment: who.github.environment === undefined ? (environment ?? null) : memberOf(who.github.environment),
      runnerEnvironment: runner === undefined || runner === 'hosted' ? 'github-hosted' : 'self-hosted',
    };
  }
  if ('gitlab' in who) {
    const { repository, workflow, events, ref } = who.gitlab;
    const name = who.gitlab.environment === undefined ? environment : memberOf(who.gitlab.environment);
    return {
      ...{ provider: 'gitlab', cautions: [], actor, sha, run: { id: '1' }, jobId: '1', runner: { id: '1' } },
      ...namedAs(repository, lock.gitlab[repository]),
      workflow: { ref: memberOf(workflow), sha },
      ...{ event: events[0]!, ref: memberOf(ref), refProtected: true, runnerEnvironment: 'gitlab-hosted' },
      environment: name === undefined ? null : { name, protected: true },
    };
  }
  if ('buildkite' in who) {
    const { organization, pipeline, ref } = who.buildkite;
    const whole = `${organization}/${pipeline}`;
    const { owner, repository } = namedAs(whole, lock.buildkite[whole]);
    return {
      ...{ provider: 'buildkite', cautions: [], sha, run: { id: null, number: 1 }, jobId: '1', runner: { id: '1' } },
      ...{ owner, pipeline: { id: repository.id, name: pipeline }, event: null, ref: memberOf(ref), stepKey: null },
      runnerEnvironment: 'buildkite-hosted',
    };
  }
  const { organization, project, origin, ref, contexts = [] } = who.circleci;
  return {
    ...{ provider: 'circleci', cautions: [], actor, jobId: '1', run: { pipelineId: null, workflowId: null } },
    ...{ owner: { id: organization }, project: { id: project }, ref: memberOf(ref), contextIds: contexts, origin },
  };
}

function namedAs(name: string, pin: { id: string; owner: string } | undefined) {
  return {
    owner: { id: pin?.owner ?? '2', name: name.slice(0, name.lastIndexOf('/')) },
    repository: { id: pin?.id ?? '1', name },
  };
}

/** What a case says of the job. A word that tokens of its issuer do not have changes nothing. */
function changed(job: AskingJob, said: Case['job']): AskingJob {
  const other = (was: { id: string; name: string }, name: string | undefined) =>
    name === undefined || name === was.name ? was : { id: `not-${was.id}`, name };
  const ref = said.ref ?? job.ref;
  switch (job.provider) {
    case 'github': {
      const own = job.caller.ref.slice(job.repository.name.length);
      const caller = said.caller ?? `${said.repository ?? job.repository.name}${own}`;
      // A job of the caller's own stays one.
      const workflow = said.workflow ?? (job.workflow.ref === job.caller.ref ? caller : job.workflow.ref);
      return {
        ...{ ...job, ref, repository: other(job.repository, said.repository), event: said.event ?? job.event },
        ...{ caller: { ref: caller, sha }, workflow: { ref: workflow, sha } },
        environment: said.environment ?? job.environment,
        runnerEnvironment:
          said.runner === undefined
            ? job.runnerEnvironment
            : said.runner === 'hosted'
              ? 'github-hosted'
              : 'self-hosted',
      };
    }
    case 'gitlab': {
      const isProtected = said.protected ?? true;
      const { environment: was } = job;
      return {
        ...{ ...job, ref, repository: other(job.repository, said.repository), event: said.event ?? job.event },
        workflow: { ref: said.workflow ?? job.workflow.ref, sha },
        refProtected: isProtected,
        cautions: isProtected ? [] : [{ kind: 'unprotected-ref', claim: 'ref_protected' }],
        environment:
          said.environment === undefined ? was : { name: said.environment, protected: was?.protected ?? true },
      };
    }
    case 'buildkite':
      return {
        ...{ ...job, ref, pipeline: other(job.pipeline, said.pipeline) },
        cautions: said.fork === true ? [{ kind: 'fork-head', claim: 'build_branch' }] : [],
      };
    case 'circleci':
      return {
        ...{ ...job, ref, origin: said.origin ?? job.origin, project: { id: said.pipeline ?? job.project.id } },
        cautions: said.sshRerun === true ? [{ kind: 'ssh-rerun', claim: 'oidc.circleci.com/ssh-rerun' }] : [],
      };
  }
}

function knownFor({ who, needs }: Policy, tiers: PolicyHouse['tiers'], { job, known }: Case): Known {
  const own = 'github' in who && typeof who.github.runner === 'object' ? who.github.runner : undefined;
  const { mfa = 0, reviewed = true } = known;
  const review = reviewed === 'unknown' ? 'unknown' : reviewed ? 'reviewed' : 'unreviewed';
  return {
    job: known.ended === true ? 'ended' : 'running',
    fork: job.fork ?? false,
    reviewed: { is: review, why: 'the test says so' },
    deployedTo: known.promoted === false ? [] : (tiers[needs.promotedFrom ?? ''] ?? []),
    runner: { group: job.runner ?? (own && memberOf(own.group)), isKnown: known.runner ?? true },
    incidents: known.incident === undefined ? [] : [{ id: 'an incident', severity: known.incident }],
    address: job.network ?? own?.network?.[0]?.split('/')[0],
    approval:
      mfa === false
        ? undefined
        : mfa === 'refused'
          ? { refusedBy: 'somebody' }
          : { by: 'somebody', ageMs: mfa === 'phishable' ? 0 : mfa, isPhishingResistant: mfa !== 'phishable' },
  };
}
