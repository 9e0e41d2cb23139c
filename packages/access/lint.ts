import { inSmallLetters } from '@tripline/contracts/text';
import { outsiderEvents } from '@tripline/identity/github/outsider-events';
import { isMergeRequestSource } from '@tripline/identity/gitlab/merge-requests';
import { faultsOfFiles, filesThatNarrowNothing, type NamedFiles } from './files.ts';
import type { LockFile } from './lock.ts';
import { pinOf, reachOf } from './people-rights.ts';
import type { Give, PeoplePolicy, Policy, PolicyFile } from './policy.ts';
import { runCases } from './run-cases.ts';
import { faultsOfSts } from './sts.ts';
import { isInAnyCase, type TextSet } from './text-set.ts';

/** What is wrong with a file of policies. A file with an `error` is not used; a `notice` is for whoever reviews it. */
export type Problem = { level: 'error' | 'notice'; policy?: string; what: string };

/** The tier that asks the most, and the one that asks the least: identity and length are its floor. */
const [strictTier, freeTier] = ['production', 'dev'];
/** GitHub's installation tokens live for an hour, whatever is asked for; STS gives none for less than a quarter. */
const [longestGithubMs, shortestAwsMs] = [3_600_000, 900_000];
const longestRightMs = 8 * 3_600_000;
const [shortestBreakGlassMs, longestBreakGlassMs] = [5 * 60_000, 45 * 60_000];

/** Everything that is wrong with a file of policies, together with its lock file and, where they were read, the files that it names. */
export function lint(file: PolicyFile, lock: LockFile, files?: NamedFiles): Problem[] {
  const named = Object.entries(file.policies);
  return [
    ...faultsOfTiers(file),
    ...named.flatMap(([name, policy]) =>
      [...faultsOfPolicy(policy, file), ...unpinned(policy, lock)].map((problem) => ({ ...problem, policy: name })),
    ),
    ...Object.entries(file.people).flatMap(([name, right]) =>
      faultsOfRight(right, lock).map((problem) => ({ ...problem, policy: `people.${name}` })),
    ),
    ...sharedByTiers(named),
    ...(files === undefined ? [] : problemsOfFiles(file, files)),
    ...faultsOfSts(named).map((fault) => ({ level: 'error' as const, ...fault })),
    ...runCases(file, lock).faults.map(({ policy, nth, what }) => ({
      level: 'error' as const,
      policy,
      what: `test ${nth}: ${what}`,
    })),
  ];
}

const error = (what: string): Problem => ({ level: 'error', what });
const notice = (what: string): Problem => ({ level: 'notice', what });

function problemsOfFiles(file: PolicyFile, files: NamedFiles): Problem[] {
  return [
    ...faultsOfFiles(file, files).map(error),
    ...filesThatNarrowNothing(file, files).map((path) =>
      notice(`${path} allows every action on everything: the session may do all that its role may`),
    ),
  ];
}

function faultsOfTiers({ tiers }: PolicyFile): Problem[] {
  const owners = new Map<string, string>();
  return Object.entries(tiers).flatMap(([tier, environments]) =>
    environments.flatMap((environment) => {
      const before = owners.get(inSmallLetters(environment));
      owners.set(inSmallLetters(environment), tier);
      if (before === undefined) return [];
      return [error(`environment ${environment} is of tier ${before} and of ${tier}: an environment has one tier`)];
    }),
  );
}

function faultsOfPolicy(policy: Policy, { tiers }: PolicyFile): Problem[] {
  const { tier, who, needs, give, max, sts, tests } = policy;
  const problems: Problem[] = [];
  if (tiers[tier] === undefined) problems.push(error(`tier ${tier} is none of \`tiers\``));
  if (needs.promotedFrom !== undefined && (tiers[needs.promotedFrom] === undefined || needs.promotedFrom === tier))
    problems.push(error(`promotedFrom: ${needs.promotedFrom} is no other tier of \`tiers\``));
  const environment = 'github' in who ? who.github.environment : 'gitlab' in who ? who.gitlab.environment : undefined;
  if (environment === undefined && tier !== freeTier && ('github' in who || 'gitlab' in who))
    problems.push(error(`say the environment: a policy of any tier but ${freeTier} is for jobs of one`));
  for (const one of environment ?? []) {
    if (typeof one !== 'string')
      problems.push(error(`environment: list them; {prefix: ${one.prefix}} lets whoever names an environment choose`));
    else if (!isInAnyCase(tiers[tier] ?? [], one)) problems.push(error(`environment ${one} is not of tier ${tier}`));
  }
  if (tier === strictTier && needs.reviewed !== true)
    problems.push(error('needs.reviewed: a policy of production wants a reviewed commit'));
  problems.push(...faultsOfWho(who, tier), ...faultsOfMfa(policy), ...unreviewedFiles(policy));
  if ('buildkite' in who || 'circleci' in who) {
    if (needs.reviewed || needs.promotedFrom !== undefined || needs.knownRunner)
      problems.push(
        notice(
          'what Tripline knows of commits and machines is told by GitHub’s feeds: of this CI it stays unknown, and denies',
        ),
      );
  }
  for (const one of give) problems.push(...faultsOfGive(one, max));
  if (sts.length > 0 && needs.mfa !== undefined)
    problems.push(
      notice(
        'sts: octo-sts’s clients do not wait for a second factor: it must have been proved before they ask, by a job of the run that can wait',
      ),
    );
  if (!tests.some(({ expect }) => expect === 'granted') || !tests.some(({ expect }) => expect === 'denied'))
    problems.push(notice('write a test that is granted and one that is denied: `tests`'));
  return problems;
}

function faultsOfMfa({ who, needs: { mfa } }: Policy): Problem[] {
  if (mfa === undefined || mfa.owners !== undefined) return [];
  if (mfa.of === 'owners') return [error('needs.mfa: name the owners who are asked, as `owners`')];
  if (!('github' in who)) return [];
  const what = 'needs.mfa: nobody set a scheduled run off: name the owners who are asked of those, as `owners`';
  return who.github.events.includes('schedule') ? [error(what)] : [];
}

function faultsOfWho(who: Policy['who'], tier: string): Problem[] {
  if (!('github' in who)) {
    const { ref } = 'gitlab' in who ? who.gitlab : 'circleci' in who ? who.circleci : who.buildkite;
    const merging = 'gitlab' in who ? who.gitlab.events.filter(isMergeRequestSource) : [];
    const anybodys = 'gitlab' in who && who.gitlab.unprotected ? unprotectedMay(tier) : [];
    return [...strangersMay(merging, tier), ...anybodys, ...looseRefs('ref', ref), ...halfRefs(ref)];
  }
  const { caller, workflow, events, ref, forks } = who.github;
  const problems = [
    ...strangersMay(
      events.filter((event) => outsiderEvents.has(event)),
      tier,
    ),
    ...looseFiles('caller', caller),
    ...looseFiles('workflow', workflow ?? []),
    ...looseRefs('ref', ref),
  ];
  if (forks === true)
    problems.push(
      tier === strictTier
        ? error('forks: production is not for them')
        : notice('forks: strangers choose what such a job runs'),
    );
  return [...problems, ...halfRefs(ref)];
}

/** `needs.reviewed` speaks of the commit that the run is of; what a workflow of another repository does is that repository's to change. */
function unreviewedFiles({ who, needs }: Policy): Problem[] {
  if (needs.reviewed !== true || !('github' in who)) return [];
  const { repository, workflow = [] } = who.github;
  return workflow.flatMap((one) => {
    const [path = '', ref = ''] = (typeof one === 'string' ? one : one.prefix).split('@', 2);
    const of = path.split('/').slice(0, 2).join('/');
    if (!ref.startsWith('refs/') || isInAnyCase([repository], of)) return [];
    return [
      notice(
        `workflow ${path}@${ref}: needs.reviewed does not speak of ${of}, and whoever may change ${ref} there chooses what such a job does: name a commit, @<sha>, by which callers call it`,
      ),
    ];
  });
}

function strangersMay(events: readonly string[], tier: string): Problem[] {
  if (events.length === 0) return [];
  const what = `events: ${events.join(', ')}: whoever has no write access sets such runs off`;
  return [tier === strictTier ? error(what) : notice(what)];
}

function unprotectedMay(tier: string): Problem[] {
  if (tier === strictTier) return [error('unprotected: production is for protected refs and environments alone')];
  return [notice('unprotected: whoever may push a branch chooses what such a job runs')];
}

function halfRefs(ref: TextSet): Problem[] {
  return ref.flatMap((one) => {
    const text = typeof one === 'string' ? one : one.prefix;
    return text.startsWith('refs/') ? [] : [error(`ref ${text}: say it whole, refs/heads/main or refs/tags/v1`)];
  });
}

/** Whoever may make a file beside it, or a branch, chooses what a loose beginning means. */
function looseFiles(field: string, set: TextSet): Problem[] {
  return set.flatMap((one) => {
    const text = typeof one === 'string' ? one : one.prefix;
    const [file = '', ref] = text.split('@', 2);
    if (field === 'workflow' && typeof one === 'string' && /\.ya?ml$/.test(file) && /^[0-9a-f]{40}$/.test(ref ?? ''))
      return [];
    if (!/\.ya?ml$/.test(file) || ref === undefined || !ref.startsWith('refs/'))
      return [error(`${field} ${text}: say the file and its ref, .github/workflows/release.yml@refs/heads/main`)];
    return typeof one === 'string' ? [] : looseRefs(field, [{ prefix: ref }]);
  });
}
function looseRefs(field: string, set: TextSet): Problem[] {
  return set.flatMap((one) => {
    if (typeof one === 'string') return [];
    const { prefix } = one;
    if (/^refs\/?(?:heads|tags)?\/?$/.test(prefix))
      return [error(`${field}: {prefix: ${prefix}} is every branch or tag: say them whole`)];
    // refs/heads/release also begins refs/heads/release-of-somebody-else.
    if (prefix.startsWith('refs/heads/') && !prefix.endsWith('/'))
      return [notice(`${field}: {prefix: ${prefix}} also begins branches that others make; end it with /`)];
    return [];
  });
}

function faultsOfGive(give: Give, maxMs: number): Problem[] {
  if ('github' in give) return maxMs > longestGithubMs ? [error('max: a token of GitHub’s lives for 1h at most')] : [];
  const lives = 'aws' in give ? give.aws.for : 'vault' in give ? give.vault.for : give.gitlab.for;
  const problems: Problem[] = lives > maxMs ? [error('for: it would live longer than `max`')] : [];
  if ('aws' in give && lives < shortestAwsMs) problems.push(error('for: STS gives no session for less than 15m'));
  return problems;
}

function faultsOfRight(right: PeoplePolicy, lock: LockFile): Problem[] {
  const { who, permission, approvedBy, fast } = right;
  const { kind, names } = reachOf(right);
  const ids = new Set(approvedBy.map((name) => lock.people[name]?.id));
  const alone = who.filter((name) => ids.size === 0 || (ids.size === 1 && ids.has(lock.people[name]?.id)));
  return [
    ...(right.for > longestRightMs ? [error('for: a right of people lasts for 8h at most; ask again')] : []),
    ...(fast && permission !== 'read' ? [error('fast: only reading is given without anybody’s word')] : []),
    ...faultsOfBreakGlass(right),
    ...(fast && right.onDuty?.of.includes('approvedBy')
      ? [error('onDuty: what is given without anybody’s word (fast) has no approvedBy; say of: [who]')]
      : []),
    ...(!fast && alone.length > 0
      ? [
          error(
            `approvedBy: nobody but themselves may approve what ${alone.join(', ')} ask${alone.length > 1 ? '' : 's'}`,
          ),
        ]
      : []),
    ...names.flatMap((name) => isPinned(name, pinOf(lock, kind, name))),
    ...[...new Set([...who, ...approvedBy])].flatMap((name) => isPinned(name, lock.people[name])),
  ];
}

function faultsOfBreakGlass({ breakGlass, fast, phishingResistant }: PeoplePolicy): Problem[] {
  if (breakGlass === undefined) return [];
  return [
    ...(breakGlass < shortestBreakGlassMs || breakGlass > longestBreakGlassMs
      ? [error('breakGlass: say from 5m to 45m: others must have time to answer, and a request is over after an hour')]
      : []),
    ...(phishingResistant
      ? []
      : [error('breakGlass: with phishingResistant: false, whoever phishes one person would have the right')]),
    ...(fast ? [error('breakGlass: what is given without anybody’s word (fast) needs none')] : []),
  ];
}

function unpinned({ who, needs, give }: Policy, lock: LockFile): Problem[] {
  const owners = needs.mfa?.owners ?? [];
  return [...unpinnedOf(who, lock), ...owners.flatMap((name) => isPinned(name, lock.people[name]))].concat(
    give.flatMap((one) => unpinnedGiven(one, who, lock)),
  );
}

/** What it is given on, beside the job's own repository, is pinned too: its minter gives nothing on a name. */
function unpinnedGiven(give: Give, who: Policy['who'], lock: LockFile): Problem[] {
  if ('gitlab' in give) {
    const isOwn = 'gitlab' in who && who.gitlab.repository === give.gitlab.project;
    return isOwn ? [] : isPinned(give.gitlab.project, lock.gitlab[give.gitlab.project]);
  }
  if (!('github' in give)) return [];
  const { repositories } = give.github;
  const others = repositories.filter((name) => !('github' in who && who.github.repository === name));
  const owners = new Set(repositories.flatMap((name) => lock.github[name]?.owner ?? []));
  return [
    ...others.flatMap((name) => isPinned(name, lock.github[name])),
    ...(owners.size > 1
      ? [error(`github: one token is of one owner, and ${repositories.join(', ')} are of ${owners.size}`)]
      : []),
  ];
}
const isPinned = (name: string, pin: unknown): Problem[] =>
  pin === undefined
    ? [error(`${name} is not pinned: run \`tripline access lock\`, and have the lock file reviewed`)]
    : [];

function unpinnedOf(who: Policy['who'], lock: LockFile): Problem[] {
  if ('github' in who) return isPinned(who.github.repository, lock.github[who.github.repository]);
  if ('gitlab' in who) return isPinned(who.gitlab.repository, lock.gitlab[who.gitlab.repository]);
  if (!('buildkite' in who)) return [];
  const whole = `${who.buildkite.organization}/${who.buildkite.pipeline}`;
  return isPinned(whole, lock.buildkite[whole]);
}

/** What a policy gives, by names of which two that are equal mean the same power. Reading a repository is none. */
export function powersOf(give: Give): string[] {
  if ('aws' in give) return [`aws:${give.aws.role}`];
  if ('vault' in give) return [`vault:${give.vault.role}`];
  if ('gitlab' in give) return give.gitlab.scopes.map((scope) => `gitlab:${give.gitlab.project}:${scope}`);
  return give.github.repositories.flatMap((repository) =>
    Object.entries(give.github.permissions).map(
      ([permission, access]) => `github:${repository}:${permission}:${access}`,
    ),
  );
}
const isReading = (power: string): boolean => power.startsWith('github:') && power.endsWith(':read');

function sharedByTiers(named: readonly [string, Policy][]): Problem[] {
  const tiersOf = new Map<string, Map<string, string>>();
  for (const [name, { tier, give }] of named) {
    for (const power of give.flatMap(powersOf)) {
      if (isReading(power)) continue;
      tiersOf.set(power, (tiersOf.get(power) ?? new Map()).set(tier, name));
    }
  }
  return [...tiersOf].flatMap(([power, tiers]) => {
    if (tiers.size < 2) return [];
    const where = [...tiers].map(([tier, name]) => `${tier} (${name})`).join(' and ');
    return [error(`${power} is given in ${where}: whoever gets into the lesser tier has the other`)];
  });
}
