import { outsiderEvents } from '@tripline/identity/github/outsider-events';
import { stringify } from 'yaml';
import { type StsName, stsName } from '../policy.ts';
import { faultOfScope } from '../sts.ts';
import type { Subject, Trust } from './trust.ts';

/** What no other system says, and a policy must: of whoever imports. `caller`: path of the workflow, without ref. */
export type Said = {
  audience: string;
  caller?: string | undefined;
  events: readonly string[];
  ref?: string | undefined;
  environmentTier: string;
};

export type Imported = {
  text: string | undefined;
  notes: { policy: string; level: 'looser' | 'lacks'; what: string }[];
};

/** An environment that is nobody's: a tier has at least one, and a subject without an environment is of none. */
const noEnvironment = 'no-environment-of-yours';
type Where = { repository: string; ref?: string; refPrefix?: string; environment?: string };

/** A file of policies that admits nobody whom `trusts` do not admit; what cannot be said so is a note, and not there. */
export function toPolicies(trusts: readonly Trust[], said: Said): Imported {
  const notes: Imported['notes'] = [];
  const policies: Record<string, object> = {};
  const environments = new Set<string>();
  for (const trust of trusts) {
    const note = (level: 'looser' | 'lacks', what: string) => notes.push({ policy: trust.name, level, what });
    for (const what of trust.looser) note('looser', what);
    for (const what of trust.lacks) note('lacks', what);
    for (const subject of trust.give === undefined ? [] : trust.subjects) {
      const policy = policyOf(subject, trust, said, note);
      if (policy === undefined) continue;
      if (policy.environment !== undefined) environments.add(policy.environment);
      policies[freeName(trust.name, policies)] = policy.written;
    }
  }
  const isFree = Object.values(policies).some((one) => (one as { tier: string }).tier === 'dev');
  const tiers = {
    ...(environments.size > 0 ? { [said.environmentTier]: [...environments].sort() } : {}),
    ...(isFree
      ? { dev: said.environmentTier === 'dev' && environments.size > 0 ? [...environments].sort() : [noEnvironment] }
      : {}),
  };
  if (Object.keys(policies).length === 0) return { text: undefined, notes };
  return {
    text: stringify({ audience: said.audience, tiers, policies }, { lineWidth: 120, aliasDuplicateObjects: false }),
    notes,
  };
}

function policyOf(subject: Subject, trust: Trust, said: Said, note: (level: 'looser' | 'lacks', what: string) => void) {
  const text = 'whole' in subject ? subject.whole : `${subject.prefix}*`;
  const where = whereOf(subject);
  if (typeof where === 'string') {
    note('lacks', `${text}: ${where}`);
    return undefined;
  }
  const { repository, environment } = where;
  const { claims = {} } = trust;
  if (claims.repositories !== undefined && !claims.repositories.includes(repository)) {
    note(
      'lacks',
      `${text}: it wants the repository ${claims.repositories.join(' or ')} as well, so that nobody got it`,
    );
    return undefined;
  }
  // What a subject leaves open, its claims may say; one whole ref of several is written, the others are for another import.
  const [told] = claims.refs?.flatMap((one) => ('whole' in one ? [one.whole] : [])) ?? [];
  const ref = where.refPrefix ?? where.ref ?? (told === undefined ? said.ref : told);
  if (
    ref !== undefined &&
    claims.refs !== undefined &&
    !claims.refs.some((one) => isWithin(one, ref, where.refPrefix !== undefined))
  ) {
    note('lacks', `${text}: its claim_pattern.ref takes none of ${ref}; say --ref one that it takes`);
    return undefined;
  }
  if (where.ref === undefined && (claims.refs?.length ?? 0) > 1)
    note('lacks', `${text}: of the refs that it takes ${ref} alone is written; write the others by hand`);
  if (ref === undefined) {
    note('lacks', `${text}: it names no ref, so that jobs of any branch got it; say --ref refs/heads/main`);
    return undefined;
  }
  const isPrefix = where.refPrefix !== undefined;
  const callers = claims.callers?.flatMap((one) => callersOf(one, ref, where.refPrefix !== undefined));
  if (callers !== undefined && callers.length === 0) {
    note(
      'lacks',
      `${text}: none of the workflows that it wants is at ${ref}, or they are no files of their repository`,
    );
    return undefined;
  }
  const own = callers?.filter((one) => one.startsWith(`${repository}/`)).map((one) => one.slice(repository.length + 1));
  if (callers !== undefined && own?.length !== callers.length) {
    note(
      'lacks',
      `${text}: it wants a workflow of another repository (${callers.join(', ')}), and does not say which one calls it; write \`caller\` and \`workflow\` by hand`,
    );
    return undefined;
  }
  if (own === undefined && said.caller === undefined) {
    note(
      'lacks',
      `${text}: it names no workflow, so that any of the repository got it; say --caller .github/workflows/deploy.yml`,
    );
    return undefined;
  }
  const caller = own ?? [isPrefix ? { prefix: `${said.caller}@${ref}` } : `${said.caller}@${ref}`];
  const isStrict = environment !== undefined && said.environmentTier === 'production';
  const events = (claims.events ?? said.events).filter(
    (event) => event !== 'pull_request' && !(isStrict && outsiderEvents.has(event)),
  );
  if (events.length === 0) {
    note('lacks', `${text}: no event is left that is not set off by strangers; say --events push`);
    return undefined;
  }
  if (claims.events === undefined)
    note(
      'looser',
      `${text}: a subject names no event; pull_request_target and issue_comment, which strangers set off, got it as well as ${events.join(', ')}`,
    );
  if (environment === undefined)
    note(
      'looser',
      `${text}: a subject without an environment is of jobs without one; keep environments out of tier dev, whose jobs would be asked for nothing more`,
    );
  const written = {
    tier: environment === undefined ? 'dev' : said.environmentTier,
    who: {
      github: {
        ...{ repository, caller, events, ref: isPrefix ? { prefix: ref } : ref },
        ...(environment === undefined ? {} : { environment }),
      },
    },
    ...(isStrict ? { needs: { reviewed: true } } : {}),
    give: [trust.give],
    ...stsOf(trust),
    tests: [{ expect: 'granted' }, { job: { ref: 'refs/heads/another' }, expect: 'denied', because: ['ref'] }],
  };
  return { written, environment };
}

/** Whether a text, or all that begins with it, is among what another takes. */
const isWithin = (outer: Subject, text: string, isPrefix: boolean): boolean =>
  'prefix' in outer ? text.startsWith(outer.prefix) : !isPrefix && outer.whole === text;

/** The workflow at this ref, `owner/name/path@ref`, where what is wanted takes it. */
function callersOf(wanted: Subject, ref: string, isPrefix: boolean): string[] {
  const text = 'whole' in wanted ? wanted.whole : wanted.prefix;
  const [file, at] = text.split('@', 2);
  if (file === undefined || at === undefined) return [];
  if ('whole' in wanted) return isPrefix ? [] : [text];
  const caller = `${file}@${ref}`;
  return !isPrefix && caller.startsWith(text) ? [caller] : [];
}

/** Where the policy gives what is meant by it, jobs need not ask otherwise than before. */
function stsOf({ sts, give }: Trust): { sts?: StsName[] } {
  if (sts === undefined || give === undefined || !stsName.safeParse(sts).success) return {};
  return faultOfScope([give], sts) === undefined ? { sts: [sts] } : {};
}

/** Where jobs of a subject are, or why that cannot be said. */
function whereOf(subject: Subject): Where | string {
  const text = 'whole' in subject ? subject.whole : subject.prefix;
  const [kind, repository, what, ...rest] = text.split(':');
  const value = rest.join(':');
  if (kind !== 'repo' || repository === undefined || !/^[\w.-]+\/[\w.-]+$/.test(repository) || what === undefined)
    return 'it is no subject of one repository (repo:owner/name:…)';
  if (what === 'ref' && 'whole' in subject && value.startsWith('refs/')) return { repository, ref: value };
  if (what === 'ref' && 'prefix' in subject && /^refs\/(?:heads|tags)\/./.test(value))
    return { repository, refPrefix: value };
  if (what === 'ref' && 'prefix' in subject)
    return 'it takes every branch or tag; write whole refs, or a prefix with a name';
  if (what === 'environment' && 'whole' in subject && value !== '') return { repository, environment: value };
  if (what === 'pull_request')
    return 'pull requests: strangers set them off, so no policy is written; write one of tier dev by hand if you must';
  return 'prefix' in subject
    ? 'it takes jobs of every branch, tag, environment and pull request'
    : 'its form is none of GitHub’s usual ones';
}

function freeName(name: string, taken: object): string {
  const words = name
    .toLowerCase()
    .split(/[^a-z0-9]/)
    .filter((word) => word !== '');
  const base = words.join('-').slice(0, 58) || 'imported';
  for (let nth = 1; ; nth += 1) {
    const free = nth === 1 ? base : `${base}-${nth}`;
    if (!(free in taken)) return free;
  }
}
