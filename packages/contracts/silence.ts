import { alwaysTold, type Entity, type Finding } from './finding.ts';

/** Fields that a silence can match, besides the workspace. */
export const silenceMatchers = ['rule', 'subject', 'actor', 'repository', 'runner', 'environment'] as const;
type SilenceMatcher = (typeof silenceMatchers)[number];

/**
 * Which findings are not reported. Every matcher that is given must fit: by the whole text, or by its beginning where
 * it ends in `*`. `actor` is who acted, by login; `repository` is `owner/name`; `runner` is as findings name it, such
 * as `github:github.com:runner:12:build-1`. Of several people who acted, repositories, runners or environments that a
 * finding names, all must fit.
 */
export type SilenceScope = { [M in SilenceMatcher | 'workspace']?: string | undefined } & {
  /** Whether critical findings are silenced too. */
  critical?: boolean | undefined;
};

export type Silence = SilenceScope & {
  /** Of one that stands in Postgres; absent for one of tripline.yaml. */
  id?: string;
  /** RFC 3339. */
  until: string;
  reason: string;
};

/** Longest duration of a silence: findings that still stand after it are reported. */
export const longestSilenceMs = 30 * 24 * 3_600_000;

type Silenced = Pick<Finding, 'rule' | 'subject' | 'workspace' | 'severity' | 'entities'>;

/** Whether a finding fits a silence, whenever it was found. */
export function fitsScope(scope: SilenceScope, finding: Silenced): boolean {
  if (alwaysTold.has(finding.rule)) return false;
  if (finding.severity === 'critical' && scope.critical !== true) return false;
  if (scope.workspace !== undefined && scope.workspace !== finding.workspace) return false;
  if (scope.rule !== undefined && !fits(scope.rule, finding.rule)) return false;
  if (scope.subject !== undefined && !fits(scope.subject, finding.subject)) return false;
  const { entities } = finding;
  return (
    allFit(scope.actor, actorsOf(entities)) &&
    allFit(scope.repository, repositoriesOf(entities)) &&
    allFit(scope.runner, idsOf(entities, 'runner')) &&
    allFit(scope.environment, idsOf(entities, 'environment'))
  );
}

/** The first silence that holds for a finding at the log's time at which it was found. */
export function silenceOf<S extends Silence>(
  finding: Silenced & Pick<Finding, 'detectedAt'>,
  silences: readonly S[],
): S | undefined {
  return silences.find(
    (silence) => Date.parse(silence.until) > Date.parse(finding.detectedAt) && fitsScope(silence, finding),
  );
}

/** What is wrong with a scope, for whoever wrote it; undefined when nothing is. */
export function faultOfScope(scope: SilenceScope): string | undefined {
  const narrows = silenceMatchers.some((name) => scope[name] !== undefined && scope[name] !== '*');
  return narrows ? undefined : `it would silence everything: name at least one of ${silenceMatchers.join(', ')}`;
}

/** A scope in one line, such as `rule=grant-outlived-job, actor=ada`. */
export function describeScope(scope: SilenceScope): string {
  const parts = [...silenceMatchers, 'workspace' as const].flatMap((name) =>
    scope[name] === undefined ? [] : [`${name}=${scope[name]}`],
  );
  return [...parts, ...(scope.critical ? ['critical too'] : [])].join(', ');
}

/** Names at providers are the same in any case. */
function fits(matcher: string, text: string): boolean {
  const [wanted, given] = [matcher.toLowerCase(), text.toLowerCase()];
  return wanted.endsWith('*') ? given.startsWith(wanted.slice(0, -1)) : given === wanted;
}

function allFit(matcher: string | undefined, names: readonly string[]): boolean {
  if (matcher === undefined) return true;
  return names.length > 0 && names.every((name) => fits(matcher, name));
}

function idsOf(entities: readonly Entity[], kind: Entity['kind']): string[] {
  return entities.filter((entity) => entity.kind === kind).map(({ id }) => id);
}

/**
 * Who acted: all people that a finding names, else whoever makes use of another's time would be silenced with them. Of a grant
 * the first alone: that somebody was granted something by a stranger is no matter of theirs.
 */
function actorsOf(entities: readonly Entity[]): string[] {
  const people = idsOf(entities, 'user');
  return entities.some(({ kind }) => kind === 'grant') ? people.slice(0, 1) : people;
}

/** Runs and commits are named by their repository: `owner/name#run`, `owner/name@revision`. */
function repositoriesOf(entities: readonly Entity[]): string[] {
  return entities.flatMap(({ kind, id }) => {
    if (kind === 'repository') return [id];
    const end = kind === 'run' ? id.lastIndexOf('#') : kind === 'commit' ? id.lastIndexOf('@') : -1;
    return end > 0 ? [id.slice(0, end)] : [];
  });
}
