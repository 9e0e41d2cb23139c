import { BlockList, isIP } from 'node:net';
import { isMergeRequestSource } from '@tripline/identity/gitlab/merge-requests';
import type { BuildkiteJob, CircleCiJob, GitHubJob, GitLabJob, Proof, Workload } from '@tripline/identity/workload';
import { type CautionKind, cautionKinds } from '@tripline/identity/workload';
import type { Known } from './known.ts';
import type { LockFile } from './lock.ts';
import type { BuildkiteWho, CircleciWho, GithubWho, GitlabWho, Policy } from './policy.ts';
import { type Condition, failed, type Reason, unknown } from './reason.ts';
import { describeSet, isIn, isInAnyCase, type TextSet } from './text-set.ts';

/** A job as its token proves it, without what the token says of itself alone. */
export type AskingJob = Pick<Proof, 'cautions'> & (GitHubJob | GitLabJob | BuildkiteJob | CircleCiJob);
/** Every token proves one. */
export const jobOf = (workload: Workload): AskingJob => workload;

/** Everything about who asks that is not as `who` wants it. */
export function faultsOfWho(who: Policy['who'], job: AskingJob, known: Known, lock: LockFile): Reason[] {
  if ('github' in who && job.provider === 'github')
    return [...faultsOfGithub(who.github, job, known, lock), ...faultsByCautions(job, [])];
  if ('gitlab' in who && job.provider === 'gitlab') {
    const allowed: CautionKind[] = who.gitlab.unprotected ? ['unprotected-ref', 'unprotected-environment'] : [];
    return [...faultsOfGitlab(who.gitlab, job, lock), ...faultsByCautions(job, allowed)];
  }
  if ('buildkite' in who && job.provider === 'buildkite')
    return [
      ...faultsOfBuildkite(who.buildkite, job, lock),
      ...faultsByCautions(job, who.buildkite.forks ? ['fork-head'] : []),
    ];
  if ('circleci' in who && job.provider === 'circleci')
    return [
      ...faultsOfCircleci(who.circleci, job),
      ...faultsByCautions(job, who.circleci.sshReruns ? ['ssh-rerun'] : []),
    ];
  return [failed('issuer', Object.keys(who)[0]!, job.provider, 'Ask for a policy that is written for this CI.')];
}

/** By which condition a caution is told. That a stranger may have set the run off is a matter of the events that a policy lists (`faultsOfMergeRequest`). */
const cautionAs: Record<CautionKind, Condition | undefined> = {
  'outsider-event': undefined,
  'merge-request': undefined,
  'fork-head': 'fork',
  'unprotected-ref': 'protected',
  'unprotected-environment': 'protected',
  'ssh-rerun': 'ssh-rerun',
};

function faultsByCautions({ cautions }: AskingJob, allowed: readonly CautionKind[]): Reason[] {
  return cautions.flatMap(({ kind, claim }) => {
    const condition = cautionAs[kind];
    if (condition === undefined || allowed.includes(kind)) return [];
    return [failed(condition, 'a job without this', `${cautionKinds[kind]} (${claim})`, ask)];
  });
}
const ask = 'Run it as the policy wants it, or have the policy changed.';

function faultsOfGithub(who: GithubWho, job: GitHubJob, known: Known, lock: LockFile): Reason[] {
  return [
    ...pinned(who.repository, lock.github[who.repository], job),
    // The caller is of the repository that was pinned: the token names both by what they are called now.
    ...among('caller', prefixed(`${job.repository.name}/`, who.caller), job.caller.ref),
    // Without a workflow of another file the job is one of the caller's own.
    ...among('workflow', who.workflow ?? [job.caller.ref], job.workflow.ref),
    ...among('event', who.events.map(String), job.event),
    ...among('ref', who.ref, job.ref),
    ...amongEnvironments(who.environment, job.environment, isInAnyCase),
    ...faultsOfFork(who, known),
    ...faultsOfRunner(who.runner, job, known),
  ];
}

/** No token of GitHub's says where the head lies; the run's own event does. */
function faultsOfFork({ forks }: GithubWho, { fork }: Known): Reason[] {
  if (forks === true || fork === false) return [];
  const wanted = 'a head in the repository itself';
  if (fork === true) return [failed('fork', wanted, 'a head in a fork', 'Merge it, and run it on the branch.')];
  return [unknown('fork', wanted, 'the run was not told of yet')];
}

function faultsOfRunner(
  wanted: GithubWho['runner'],
  { runnerEnvironment }: GitHubJob,
  { runner, address }: Known,
): Reason[] {
  if (wanted === undefined) return [];
  const isHosted = runnerEnvironment === 'github-hosted';
  const help = 'Run it on such a machine, or have the policy changed.';
  if (wanted === 'hosted')
    return isHosted ? [] : [failed('runner', 'a runner of the provider’s', 'a self-hosted one', help)];
  const group = `a runner of group ${describeSet(wanted.group)}`;
  if (isHosted) return [failed('runner', group, 'one of the provider’s', help)];
  return [
    ...(runner?.group === undefined
      ? [unknown('runner', group, 'no event named its group yet')]
      : among('runner', wanted.group, runner.group)),
    ...(wanted.network === undefined ? [] : faultsOfNetwork(wanted.network, address, help)),
  ];
}

/** Asking again does not help where the proxy named no address: what it sends has to be mended. */
function faultsOfNetwork(networks: readonly string[], address: string | undefined, help: string): Reason[] {
  const wanted = networks.join(' or ');
  if (address === undefined)
    return [failed('network', wanted, 'not known, since the proxy before the broker names no client', proxyHelp)];
  return isInside(networks, address) ? [] : [failed('network', wanted, address, help)];
}

const proxyHelp =
  'Have the proxy send X-Forwarded-For whose last address is the client’s (203.0.113.7, 203.0.113.7:51234 or [2001:db8::1]:51234), and let broker.proxies name proxies alone.';

function isInside(networks: readonly string[], address: string): boolean {
  const version = isIP(address);
  if (version === 0) return false;
  const list = new BlockList();
  for (const one of networks) {
    const [base = '', bits] = one.split('/');
    list.addSubnet(base, Number(bits), isIP(base) === 6 ? 'ipv6' : 'ipv4');
  }
  return list.check(address, version === 6 ? 'ipv6' : 'ipv4');
}

type AskingGitLabJob = AskingJob & { provider: 'gitlab' };

function faultsOfGitlab(who: GitlabWho, job: AskingGitLabJob, lock: LockFile): Reason[] {
  return [
    ...pinned(who.repository, lock.gitlab[who.repository], job),
    ...among('workflow', who.workflow, job.workflow.ref),
    ...among('event', who.events.map(String), job.event),
    ...faultsOfMergeRequest(who, job),
    ...among('ref', who.ref, job.ref),
    ...amongEnvironments(who.environment, job.environment?.name ?? null),
  ];
}

/** A child pipeline says parent_pipeline, whatever started its parent: its ref tells a merge request. */
function faultsOfMergeRequest({ events }: GitlabWho, { event, cautions }: AskingGitLabJob): Reason[] {
  const isHidden = events.includes(event) && cautions.some(({ kind }) => kind === 'merge-request');
  if (!isHidden || events.some(isMergeRequestSource)) return [];
  return [failed('event', events.join(' or '), `${event}, of a merge request`, ask)];
}

function faultsOfBuildkite(who: BuildkiteWho, job: BuildkiteJob, lock: LockFile): Reason[] {
  const whole = `${who.organization}/${who.pipeline}`;
  const pin = lock.buildkite[whole];
  return [
    // One issuer serves all of its customers, so the organisation comes first.
    ...isPinned('owner', who.organization, pin?.owner, job.owner),
    ...isPinned('pipeline', whole, pin?.id, job.pipeline),
    ...among('ref', who.ref, job.ref),
  ];
}

function faultsOfCircleci(who: CircleciWho, job: CircleCiJob): Reason[] {
  const wanted = who.contexts;
  const has = job.contextIds.join(', ') || 'none';
  return [
    ...among('owner', [who.organization], job.owner.id),
    ...among('pipeline', [who.project], job.project.id),
    ...among('origin', [who.origin], job.origin),
    ...among('ref', who.ref, job.ref),
    ...(wanted === undefined || job.contextIds.some((one) => wanted.includes(one))
      ? []
      : [failed('contexts', wanted.join(' or '), has, 'Give the job such a context.')]),
  ];
}

const prefixed = (before: string, set: TextSet): TextSet =>
  set.map((one) => (typeof one === 'string' ? before + one : { prefix: before + one.prefix }));

type Named = { id: string; name: string };

function pinned(name: string, pin: { id: string; owner: string } | undefined, job: GitHubJob | GitLabJob): Reason[] {
  const owner = name.slice(0, name.lastIndexOf('/'));
  return [...isPinned('repository', name, pin?.id, job.repository), ...isPinned('owner', owner, pin?.owner, job.owner)];
}

/** A thing is who its id says, whatever it is called. */
function isPinned(condition: Condition, name: string, id: string | undefined, found: Named): Reason[] {
  if (id === found.id) return [];
  const pin = '`tripline access lock`';
  if (id === undefined)
    return [
      failed(condition, name, found.name, `The lock file pins no id of ${name}: run ${pin}, and have it reviewed.`),
    ];
  const isNamesake = found.name.toLowerCase() === name.toLowerCase();
  const help = isNamesake
    ? `Another one bears the name ${name} now. If that is right, pin it anew by ${pin}.`
    : 'Ask for a policy of its own.';
  return [failed(condition, `${name} (id ${id})`, `${found.name} (id ${found.id})`, help)];
}

/** A job of no environment is of none that a policy names, whatever it names it. */
function amongEnvironments(wanted: TextSet | undefined, found: string | null, isNamed = isIn): Reason[] {
  if (wanted === undefined) return [];
  if (found === null) return [failed('environment', describeSet(wanted), 'none', ask)];
  return among('environment', wanted, found, isNamed);
}

function among(condition: Condition, wanted: TextSet, found: string, isNamed = isIn): Reason[] {
  return isNamed(wanted, found) ? [] : [failed(condition, describeSet(wanted), found, ask)];
}
