import { alwaysTold, type Confidence, confidences, type Entity, type Finding } from './finding.ts';

/** What an exception may look at; each fits where all things of that kind that the finding names are among those listed. */
export const exceptionMatchers = [
  'user',
  'repository',
  'runner',
  'environment',
  'credential',
] as const satisfies readonly Entity['kind'][];

/**
 * What is in order although a rule finds it: decided by `owner`, until a day. The finding is kept, told to nobody and never
 * acted upon. A name fits whole, in any case, or by its beginning where it ends in `*`; a runner is named as findings do, such
 * as `github:github.com:runner:12:build-1`.
 */
export type Exception = {
  /** Ids of rules. */
  rules: readonly string[];
  workspace?: string | undefined;
  when: { [M in (typeof exceptionMatchers)[number]]?: readonly string[] | undefined };
  owner: string;
  reason: string;
  /** RFC 3339. */
  until: string;
};

/** What stands with a finding that is excepted. */
export type Excepted = Pick<Exception, 'owner' | 'reason' | 'until'>;

/** What decides whether a finding is excepted. */
export type Exceptable = Pick<Finding, 'rule' | 'workspace' | 'entities' | 'detectedAt' | 'confidence'>;

/**
 * The first exception that covers a finding at the log's time at which it was found. All people that it names must fit, not
 * one: else an attacker would borrow the name of whoever is excepted.
 */
export function exceptionOf<E extends Exception>(finding: Exceptable, exceptions: readonly E[]): E | undefined {
  if (alwaysTold.has(finding.rule)) return undefined;
  return exceptions.find(({ rules, workspace, when, until }) => {
    if (!rules.includes(finding.rule) || Date.parse(until) <= Date.parse(finding.detectedAt)) return false;
    if (workspace !== undefined && workspace !== finding.workspace) return false;
    return exceptionMatchers.every((kind) => allFit(when[kind], namesOf(finding.entities, kind)));
  });
}

/** What keeps a finding from being told that is less sure than `minConfidence`, in the form in which exceptions stand with it. */
export function exceptionOfDoubt(
  { rule, confidence }: Pick<Finding, 'rule' | 'confidence'>,
  minConfidence: Confidence | undefined,
): Excepted | undefined {
  if (alwaysTold.has(rule)) return undefined;
  if (minConfidence === undefined || confidences.indexOf(confidence) >= confidences.indexOf(minConfidence))
    return undefined;
  const reason = `its confidence is ${confidence}, and an override tells from ${minConfidence} on`;
  return { owner: 'overrides of tripline.yaml', reason, until: '9999-12-31T00:00:00Z' };
}

/** What is wrong with an exception, for whoever wrote it; undefined when nothing is. */
export function faultOfException({ rules, when }: Pick<Exception, 'rules' | 'when'>): string | undefined {
  const always = rules.find((rule) => alwaysTold.has(rule));
  if (always !== undefined) return `${always} is always told`;
  const narrows = exceptionMatchers.some(
    (kind) => when[kind]?.some((name) => name !== '*') && !when[kind]?.includes('*'),
  );
  return narrows
    ? undefined
    : `it would except everything: name in \`when\` at least one of ${exceptionMatchers.join(', ')}`;
}

const namesOf = (entities: readonly Entity[], kind: Entity['kind']) =>
  entities.flatMap((entity) => (entity.kind === kind ? [entity.id] : []));

function allFit(wanted: readonly string[] | undefined, names: readonly string[]): boolean {
  if (wanted === undefined) return true;
  return names.length > 0 && names.every((name) => wanted.some((one) => fits(one, name)));
}

function fits(wanted: string, name: string): boolean {
  const [one, other] = [wanted.toLowerCase(), name.toLowerCase()];
  return one.endsWith('*') ? other.startsWith(one.slice(0, -1)) : one === other;
}
