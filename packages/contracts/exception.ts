import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { alwaysTold, type Confidence, type Entity, type Finding, isAsSureAs } from './finding.ts';
import { usualPlace } from './place.ts';

/**
 * What an exception may look at; each fits where all things of that kind that the finding names are among those listed. What
 * a finding does not name is not known, and fits nothing.
 */
export const exceptionMatchers = [
  'user',
  'repository',
  'ref',
  'workflow',
  'runner',
  'environment',
  'credential',
  'cidr',
] as const;
type Matcher = (typeof exceptionMatchers)[number];
/** Matchers by which each listed thing is one thing, with the repository that it belongs to: others may make what begins like it. */
const wholeForms: Partial<Record<Matcher, { form: RegExp; like: string }>> = {
  ref: { form: /^[^/@\s*]+\/[^/@\s*]+@refs\/(?:heads|tags)\/[^\s*]+$/, like: 'acme/app@refs/heads/main' },
  workflow: {
    form: /^[^/@\s*]+\/[^/@\s*]+\/[^@\s*]+@refs\/(?:heads|tags)\/[^\s*]+$/,
    like: 'acme/app/.github/workflows/release.yml@refs/heads/main',
  },
};
/** The shortest prefixes of networks, by version: shorter ones hold whole regions of the world. */
const shortestPrefix = { ipv4: 8, ipv6: 16 } as const;

/**
 * What is in order although a rule finds it: decided by `owner`, until a day. The finding is kept, told to nobody and never
 * acted upon. A name fits whole, in any case, or by its beginning where it ends in `*`; a runner is named as findings do, such
 * as `github:github.com:runner:12:build-1`. Names change hands: what a finding knows by the provider's id is also named by that
 * (`github:github.com:user:41`), whole; a person is by nothing else (or by `login:41`, at GitHub's own), but for apps, which keep
 * their names. A repository may be, as `acme/app:7`.
 *
 * Whoever may push may make any branch or tag, and any file of a workflow in it; whoever forks has all of them under another
 * repository. So a `ref` is named whole, with its repository, and a `workflow` with the ref that its file is of, in the letters
 * that they have. Of a workflow the name that it gives itself says nothing.
 */
export type Exception = {
  /** Ids of rules. */
  rules: readonly string[];
  workspace?: string | undefined;
  when: { [M in Matcher]?: readonly string[] | undefined };
  owner: string;
  reason: string;
  /** RFC 3339. */
  until: string;
};

/** What is stored with an excepted finding. */
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
    return exceptionMatchers.every((matcher) => {
      const wanted = when[matcher];
      const entities = finding.entities.filter(({ kind }) => kind === (matcher === 'cidr' ? 'address' : matcher));
      return (
        wanted === undefined ||
        (entities.length > 0 && entities.every((entity) => wanted.some((one) => fits(matcher, one, entity))))
      );
    });
  });
}

/**
 * The exception for a finding below the override's `minConfidence`, in the form in which exceptions are stored with it.
 */
export function exceptionOfDoubt(
  { rule, confidence }: Pick<Finding, 'rule' | 'confidence'>,
  minConfidence: Confidence | undefined,
): Excepted | undefined {
  if (alwaysTold.has(rule)) return undefined;
  if (minConfidence === undefined || isAsSureAs(confidence, minConfidence)) return undefined;
  const reason = `its confidence is ${confidence}, and an override reports from ${minConfidence} on`;
  return { owner: 'overrides of tripline.yaml', reason, until: '9999-12-31T00:00:00Z' };
}

/** What is wrong with an exception, for whoever wrote it; undefined when nothing is. */
export function faultOfException({ rules, when }: Pick<Exception, 'rules' | 'when'>): string | undefined {
  const always = rules.find((rule) => alwaysTold.has(rule));
  if (always !== undefined) return `${always} is always reported`;
  for (const [matcher, { form, like }] of Object.entries(wholeForms)) {
    const wrong = when[matcher as Matcher]?.find((name) => !form.test(name));
    if (wrong !== undefined) {
      return `when.${matcher}: ${wrong} is no whole ${matcher}; write it as ${like}, without \`*\`, since others may make what begins like it`;
    }
  }
  const somebody = when.user?.find((name) => name !== '*' && !accountForm.test(name));
  if (somebody !== undefined) {
    return `when.user: ${somebody} is a login, which can change hands; write it as login:id, such as ada:41, as github:github.com:user:41, or as an app's name[bot]`;
  }
  for (const matcher of exceptionMatchers) {
    const starred = when[matcher]?.find((name) => name.slice(0, -1).includes('*'));
    if (starred !== undefined)
      return `when.${matcher}: ${starred} fits nothing: \`*\` stands at the end alone, for all that begin so`;
  }
  const anyRunner = when.runner?.find((name) => name !== '*' && /^[^:]*(?::[^:]*){0,2}:?\*$/.test(name));
  if (anyRunner !== undefined)
    return `when.runner: ${anyRunner} fits every runner; write its number too, such as github:github.com:runner:12:*, or the class of its pool`;
  const wrong = when.cidr?.find((network) => networkOf(network) === undefined);
  if (wrong !== undefined) {
    const { ipv4, ipv6 } = shortestPrefix;
    return `when.cidr: ${wrong} is no network that may be excepted; write it as 203.0.113.0/24 or 2001:db8::/32, of at least ${ipv4} bits (IPv4) or ${ipv6} (IPv6)`;
  }
  const narrows = exceptionMatchers.some(
    (matcher) => when[matcher]?.some((name) => name !== '*') && !when[matcher]?.includes('*'),
  );
  return narrows
    ? undefined
    : `it would except everything: name in \`when\` at least one of ${exceptionMatchers.join(', ')}`;
}

function fits(matcher: Matcher, wanted: string, { id, key }: Entity): boolean {
  if (matcher === 'cidr') return networkOf(wanted)?.(id) === true;
  if (key !== undefined && wanted === key) return true;
  if (matcher === 'user' || matcher === 'repository') {
    const [, name, number] = /^([^:]+):(\d+)$/.exec(wanted) ?? [];
    if (number !== undefined && key !== undefined)
      return key === `${usualPlace}:${matcher === 'user' ? 'user:' : ''}${number}`;
    if (name !== undefined) return name.toLowerCase() === id.toLowerCase();
    // Whoever takes a login over is another.
    if (matcher === 'user' && key !== undefined && !isApp(wanted)) return false;
  }
  if (wholeForms[matcher] !== undefined) return inItsRepository(wanted) === inItsRepository(id);
  const [one, other] = [wanted.toLowerCase(), id.toLowerCase()];
  return one.endsWith('*') ? other.startsWith(one.slice(0, -1)) : one === other;
}

/**
 * By what an exception would cover a finding, and its like about the same people, repositories and so on: all of them that can be
 * named for good. Undefined where there is none, or where nothing excepts it.
 */
export function whenToExcept({ rule, entities }: Pick<Finding, 'rule' | 'entities'>): Exception['when'] | undefined {
  const when: { [M in Matcher]?: string[] } = {};
  for (const matcher of ['user', 'repository', 'runner', 'environment', 'credential'] as const) {
    const names = entities.filter(({ kind }) => kind === matcher).map((entity) => nameToExcept(matcher, entity));
    // People and repositories suffice, and machines come and go.
    const isNeeded =
      names.length > 0 && (matcher === 'user' || matcher === 'repository' || Object.keys(when).length === 0);
    if (isNeeded && names.every((name) => name !== undefined)) when[matcher] = [...new Set(names)];
  }
  return faultOfException({ rules: [rule], when }) === undefined ? when : undefined;
}

function nameToExcept(matcher: Matcher, { id, key }: Entity): string | undefined {
  if (matcher === 'user' && isApp(id)) return id;
  const prefix = `${usualPlace}:${matcher === 'user' ? 'user:' : ''}`;
  const number = key?.startsWith(prefix) ? key.slice(prefix.length) : undefined;
  if (matcher === 'user') return number !== undefined && accountForm.test(`${id}:${number}`) ? `${id}:${number}` : key;
  if (matcher === 'repository' && number !== undefined && /^\d+$/.test(number) && !id.includes(':'))
    return `${id}:${number}`;
  return id.includes('*') ? undefined : (key ?? id);
}

const isApp = (login: string): boolean => login.endsWith('[bot]');
/** What names one account, whoever bears its login: by id, or an app. */
const accountForm = /^(?:[^\s:*]+:\d+|[^:]+:[^\s*]+:user:\d+|[^\s:*]+\[bot\])$/;

/** The repository is the same in any case; refs and paths of files are not. */
function inItsRepository(name: string): string {
  const end = name.slice(name.indexOf('/') + 1).search(/[/@]/) + name.indexOf('/') + 1;
  return name.slice(0, end).toLowerCase() + name.slice(end);
}

/** Whether an address lies in a network, given as `address/bits`; undefined where that is none, or one of too few bits. */
export function networkOf(cidr: string): ((address: string) => boolean) | undefined {
  const [, base = '', digits = ''] = /^([0-9a-fA-F:.]{2,45})\/(\d{1,3})$/.exec(cidr) ?? [];
  const version = versionOf(base);
  const bits = Number(digits);
  if (version === undefined || bits < shortestPrefix[version] || bits > (version === 'ipv4' ? 32 : 128))
    return undefined;
  const network = new BlockList();
  network.addSubnet(base, bits, version);
  return (address) => {
    const of = versionOf(address);
    // An IPv4 address that is written as IPv6 is the IPv4 one, whichever way the network is written.
    return of !== undefined && network.check(address, of);
  };
}
const versionOf = (address: string): 'ipv4' | 'ipv6' | undefined =>
  isIPv4(address) ? 'ipv4' : isIPv6(address) && !address.includes('%') ? 'ipv6' : undefined;
