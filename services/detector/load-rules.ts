import { createHash } from 'node:crypto';
import { relative } from 'node:path';
import type { Config } from '@tripline/config/config';
import { attributes } from '@tripline/contracts/attributes';
import { eventTypes } from '@tripline/contracts/event';
import { betterNames, feedNames } from '@tripline/contracts/feeds';
import { alwaysTold, confidences, severities } from '@tripline/contracts/finding';
import type { AnyRule } from '@tripline/contracts/rule';
import { factsOf } from '@tripline/engine/learn-facts';
import { type ConfiguredRule, configureRule } from '@tripline/engine/settings';
import { rule as stateFlooded } from '@tripline/engine/state-flooded';
import { rules as ownRules } from '@tripline/rules/registry';
import { noRule } from '@tripline/rules/retired';
import { ConfigError } from '@tripline/runtime/load-settings';
import { z } from 'zod';
import type { FindingPolicies } from './record-batches.ts';
import type { RuleFile } from './rule-files.ts';
import type { SigmaRules } from './sigma-rules.ts';

const isFunction = z.custom<unknown>((value) => typeof value === 'function', 'must be a function');
const isSchema = z.custom<unknown>((value) => value instanceof Object && 'safeParse' in value, 'must be a zod schema');

/** What a rule of the user's must have; packages/contracts/rule.ts says what each is. */
const ruleShape = z.object({
  id: z.string().regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'must be kebab-case'),
  title: z.string().min(1),
  description: z.string().min(1),
  severity: z.enum(severities),
  confidence: z.enum(confidences),
  principles: z.array(z.int().min(1).max(5)),
  attack: z.array(z.string()),
  owasp: z.array(z.string()),
  feeds: z.strictObject({
    needs: z.array(z.enum(feedNames, 'is no feed that a rule can need')).min(1),
    better: z.partialRecord(z.enum(betterNames, 'is nothing that makes a rule better'), z.string().min(1)).optional(),
  }),
  untilConfigured: z.object({ does: z.enum(['informs', 'nothing']), why: z.string().min(1) }).optional(),
  kind: z.enum(['row', 'sigma']).optional(),
  falseAlarms: z.array(z.string()),
  limits: z.array(z.string()).optional(),
  reads: z.array(z.enum(Object.keys(eventTypes) as [string, ...string[]], 'is no event type')),
  where: z
    .object({
      attribute: z.enum(Object.keys(attributes) as [string, ...string[]], 'is no attribute of events'),
      oneOf: z.array(z.union([z.string(), z.number(), z.boolean()])).min(1),
    })
    .optional(),
  has: z.enum(Object.keys(attributes) as [string, ...string[]], 'is no attribute of events').optional(),
  settings: isSchema,
  state: isSchema.optional(),
  rememberMs: z.number().positive().optional(),
  supersedes: z.array(z.string()).optional(),
  yieldsTo: z.array(z.string()).optional(),
  learns: z.boolean(),
  keys: isFunction.optional(),
  judge: isFunction.optional(),
  due: isFunction.optional(),
  concludes: z
    .object({
      uses: z.array(z.object({ id: z.string(), learn: isFunction, keys: isFunction, value: isSchema })).min(1),
      about: z.array(z.object({ id: z.string() })).optional(),
      subjects: isFunction,
      conclude: isFunction,
    })
    .optional(),
});

/** What no field says alone. */
function faultOfShape(rule: AnyRule): string | null {
  if (rule.judge === undefined && rule.concludes === undefined) return 'it has neither `judge` nor `concludes`';
  if (rule.judge !== undefined && rule.reads.length === 0) return 'reads: it judges, and reads no event type';
  if (rule.keys !== undefined && rule.state === undefined)
    return 'state: it names keys, and no schema of what it keeps';
  return null;
}

/** The rules, and the policies for reporting their findings: put into force as a whole, at a position of the log. */
export type RuleSet = FindingPolicies & {
  /** Hex, of all that decides what is found: the same version finds the same in the same log. */
  version: string;
  /** The same array as in the former set where nothing in it changed. */
  rules: readonly ConfiguredRule[];
  /** Hex, of what `rules` were made of. */
  judges: string;
  own: OwnRules;
  sigma: SigmaRules;
};
/** The user's rules as they were loaded, with the files that they came from. */
export type OwnRules = { rules: readonly { rule: AnyRule; file: string }[]; files: readonly RuleFile[] };

export type RuleConfig = Pick<Config, 'rules' | 'silences' | 'exceptions' | 'overrides' | 'remediation' | 'baseDir'> &
  Partial<Pick<Config, 'github' | 'broker' | 'learningDays'>>;

/** A rule, a file of rules or a setting of theirs is wrong. `files`: those that were loaded until then. */
export class RuleSetError extends ConfigError {
  readonly files: readonly RuleFile[];
  constructor(faults: readonly string[], files: readonly RuleFile[]) {
    super(faults.join('\n'));
    this.files = files;
  }
}

/**
 * The rules in order: Tripline's, then the user's in the order of `rules.files` and of `rules.sigma`, without those that do not
 * run, each with its settings validated. `former`: the set in force; unchanged parts keep their identity.
 * @throws {RuleSetError} naming every rule, file or field that is wrong.
 */
export async function loadRuleSet(config: RuleConfig, former?: RuleSet): Promise<RuleSet> {
  const faults: string[] = [];
  const own = await loadOwnRules(config, faults, former?.own);
  const sigma = await loadSigma(config, faults, former?.sigma);
  const isWhole = faults.length === 0;
  const all: AnyRule[] = [...ownRules];
  for (const { rule, file } of own.rules) {
    if (all.some(({ id }) => id === rule.id)) faults.push(`rules.files: ${file}: there is already a rule ${rule.id}`);
    else all.push(rule);
  }
  for (const { rule, sigma: from } of sigma.rules) {
    if (all.some(({ id }) => id === rule.id))
      faults.push(`rules.sigma: ${from.file}: there is already a rule ${rule.id}`);
    else all.push(rule);
  }
  const refused = new Set(sigma.refused.flatMap(({ rule }) => rule ?? []));
  const rules = configureAll(all, config, faults, isWhole ? refused : null);
  if (faults.length > 0) throw new RuleSetError(faults, [...own.files, ...sigma.files]);
  const files = [...own.files, ...sigma.files].map(({ path, sha256 }) => [relative(config.baseDir, path), sha256]);
  const { silences, exceptions, overrides } = structuredClone({
    silences: config.silences,
    exceptions: config.exceptions,
    overrides: config.overrides,
  });
  const judges = hashOf([
    rules.map(({ rule, written }) => [rule.id, written]),
    ...[files, overrides, config.learningDays],
  ]);
  const isFormer = former !== undefined && former.own === own && former.sigma === sigma && former.judges === judges;
  return {
    ...{ silences, exceptions, overrides, own, sigma, judges },
    version: hashOf([judges, silences, exceptions]).slice(0, 16),
    rules: isFormer ? former.rules : rules,
  };
}

/** Rules alone, for callers that report nothing. @throws {RuleSetError} */
export const loadRules = async (config: RuleConfig): Promise<readonly ConfiguredRule[]> =>
  (await loadRuleSet(config)).rules;

/** A set of rules that were not loaded from files. */
export const ruleSetOf = (
  rules: readonly ConfiguredRule[],
  { silences, exceptions, overrides }: FindingPolicies,
): RuleSet => ({
  ...{ rules, silences, exceptions, overrides, own: { rules: [], files: [] }, sigma: noSigma },
  ...{ version: 'by-hand', judges: 'by-hand' },
});

const noSigma: SigmaRules = { rules: [], refused: [], files: [] };

/** What reads Sigma rules is loaded only where there are some. */
async function loadSigma(config: RuleConfig, faults: string[], former?: SigmaRules): Promise<SigmaRules> {
  if (config.rules.sigma.length === 0) return former?.files.length === 0 ? former : noSigma;
  const { loadSigmaRules } = await import('./sigma-rules.ts');
  return loadSigmaRules(config, faults, former);
}

const hashOf = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

/**
 * Those that run, each with its settings. `refused`: ids of Sigma rules that are not run, which may be named all the same;
 * null where not all files of rules could be loaded: then a rule that is not there may be in one that could not, which is the
 * fault to name.
 */
function configureAll(
  all: readonly AnyRule[],
  config: RuleConfig,
  faults: string[],
  refused: ReadonlySet<string> | null,
): ConfiguredRule[] {
  const named = [
    ...config.rules.off.map((id) => ['rules.off', id]),
    ...config.rules.on.flatMap((id) => (id.endsWith('*') ? [] : [['rules.on', id]])),
    ...Object.keys(config.rules.settings).map((id) => ['rules.settings', id]),
    ...config.silences.flatMap(({ rule }) => (rule === undefined || rule.endsWith('*') ? [] : [['silences', rule]])),
    ...config.exceptions.flatMap(({ rules }) => rules.map((rule) => ['exceptions', rule])),
    ...config.overrides.map(({ rule }) => ['overrides', rule]),
    ...config.remediation.policy.map(({ rule }) => ['remediation.policy', rule]),
  ] as [string, string][];
  for (const [where, id] of named) {
    if (refused !== null && !refused.has(id) && !all.some((rule) => rule.id === id))
      faults.push(`${where}: ${noRule(id)}`);
  }
  faults.push(...faultsOfSuperseding(all, refused !== null));
  if (config.rules.off.includes(stateFlooded.id)) {
    faults.push(`rules.off: ${stateFlooded.id} says that others may be wrong, so it is always on; silence it instead`);
  }
  for (const id of config.rules.on) {
    const isOfNone = id.endsWith('*') && !all.some((rule) => rule.offByDefault !== undefined && isNamedBy(id, rule.id));
    if (refused !== null && isOfNone)
      faults.push(`rules.on: no rule that is off by default begins with ${id.slice(0, -1)}`);
    if (config.rules.off.includes(id)) faults.push(`rules.on: ${id} is under rules.off too`);
  }
  const configured: ConfiguredRule[] = [];
  for (const rule of all.filter((one) => isOn(one, config))) {
    try {
      const lenders = lendersOf(rule, all);
      const written = Object.assign({}, ...[...lenders, rule].map((one) => writtenFor(one, config)));
      // What overrides say of the settings that it borrows, before what they say of its own.
      const borrowed = config.overrides.flatMap(({ rule: of, workspace, settings }) =>
        settings !== undefined && lenders.some(({ id }) => id === of) ? [{ rule: rule.id, workspace, settings }] : [],
      );
      configured.push(configureRule(rule, written, [...borrowed, ...config.overrides]));
    } catch (error) {
      const isOverridden = config.overrides.some((override) => override.rule === rule.id && override.settings);
      faults.push(...describe(`rules.settings.${rule.id}${isOverridden ? ' (with its overrides)' : ''}`, error));
    }
  }
  try {
    factsOf(configured);
  } catch (error) {
    faults.push(`rules.files: ${(error as Error).message}`);
  }
  return configured;
}

/** Whether a rule runs: what is off by default does so where it is asked for. */
export const isOn = ({ id, offByDefault }: AnyRule, { rules: { off, on } }: Pick<Config, 'rules'>): boolean =>
  !off.includes(id) && (offByDefault === undefined || on.some((asked) => isNamedBy(asked, id)));
const isNamedBy = (asked: string, id: string): boolean =>
  asked.endsWith('*') ? id.startsWith(asked.slice(0, -1)) : asked === id;

/** The wider rules whose settings hold for a rule too, as far as it has none of its own. */
export const lendersOf = ({ supersedes = [], settings }: AnyRule, all: readonly AnyRule[]): AnyRule[] =>
  all.filter((one) => supersedes.includes(one.id) && one.settings === settings);

/** What the user sets for a rule, over what other settings say that it wants to know. */
function writtenFor(
  { id }: AnyRule,
  { rules, github, broker }: Pick<Config, 'rules'> & Partial<Pick<Config, 'github' | 'broker'>>,
): Record<string, unknown> {
  // Else the first thing that is found is that Tripline was installed.
  const isOfGrants = id === 'privilege-grant-outside-job';
  const ownApps = isOfGrants && github?.app !== undefined ? { ownApps: [github.app.id] } : {};
  const slugs = (broker?.apps ?? []).flatMap(({ slug }) => (slug === undefined ? [] : [`${slug}[bot]`]));
  const apps = id === 'token-not-minted-by-broker' && slugs.length > 0 ? { apps: slugs } : {};
  return { ...ownApps, ...apps, ...rules.settings[id] };
}

/**
 * What is wrong with `supersedes` and `yieldsTo`: there must be no cycle, and rules that are always reported cannot be superseded.
 */
function faultsOfSuperseding(all: readonly AnyRule[], isWhole: boolean): string[] {
  const byId = new Map(all.map((rule) => [rule.id, rule]));
  const reaches = (from: AnyRule, id: string, seen: Set<string>): boolean =>
    (from.supersedes ?? []).some((next) => {
      if (next === id) return true;
      if (seen.has(next) || !byId.has(next)) return false;
      return reaches(byId.get(next)!, id, seen.add(next));
    });
  return all.flatMap((rule) => [
    ...(rule.supersedes ?? []).flatMap((id) => {
      if (!byId.has(id)) return !isWhole ? [] : [`rules.files: ${rule.id} supersedes ${id}, and there is no such rule`];
      return alwaysTold.has(id) ? [`rules.files: ${rule.id} supersedes ${id}, which is always reported`] : [];
    }),
    ...(rule.yieldsTo ?? []).flatMap((id) => {
      if (isWhole && !byId.has(id)) return [`rules.files: ${rule.id} yields to ${id}, and there is no such rule`];
      if (alwaysTold.has(id)) return [`rules.files: ${rule.id} yields to ${id}, which is always reported`];
      const next = (byId.get(id)?.yieldsTo ?? []).length > 0;
      return next ? [`rules.files: ${rule.id} yields to ${id}, which yields to others itself`] : [];
    }),
    ...(reaches(rule, rule.id, new Set()) ? [`rules.files: ${rule.id} supersedes itself, by way of others`] : []),
  ]);
}

/** The user's rules; `former` where all of their files are as they were. What was loaded stands in a fault as well. */
async function loadOwnRules(
  { rules, baseDir }: Pick<Config, 'rules' | 'baseDir'>,
  faults: string[],
  former?: OwnRules,
): Promise<OwnRules> {
  if (rules.files.length === 0) return former?.files.length === 0 ? former : { rules: [], files: [] };
  await import('@tripline/rules/outside');
  const { areAsLoaded, beginLoading, filesNamedBy } = await import('./rule-files.ts');
  const named: string[] = [];
  for (const file of rules.files) {
    try {
      const found = filesNamedBy(file, baseDir);
      if (found.length === 0) faults.push(`rules.files: ${file} is a folder without rules`);
      named.push(...found);
    } catch (error) {
      faults.push(`rules.files: ${file} cannot be loaded: ${(error as Error).message}`);
    }
  }
  const list = named.map((path) => (relative(baseDir, path).startsWith('..') ? path : relative(baseDir, path)));
  if (former !== undefined && faults.length === 0) {
    const before = [...new Set(former.rules.map(({ file }) => file))];
    if (JSON.stringify(before) === JSON.stringify(list) && areAsLoaded(former.files)) return former;
  }
  const loading = beginLoading();
  try {
    const loaded: { rule: AnyRule; file: string }[] = [];
    for (const [place, path] of named.entries()) {
      const file = list[place]!;
      try {
        const exported = await loading.import(path);
        for (const rule of rulesIn(exported, file, faults)) loaded.push({ rule, file });
      } catch (error) {
        faults.push(`rules.files: ${file} cannot be loaded: ${whyNotLoaded(error, loading.files())}`);
      }
    }
    return { rules: loaded, files: loading.files() };
  } finally {
    loading.end();
  }
}

/** Why a file cannot be loaded, with the line where the error's stack names one of the files. */
function whyNotLoaded(error: unknown, files: readonly RuleFile[]): string {
  if (!(error instanceof Error)) return String(error);
  const withoutGenerations = (text: string) => text.replaceAll(/\?generation=\d+/g, '');
  const stack = withoutGenerations(error.stack ?? '');
  const message = `${withoutGenerations(error.message)}${adviceOn(error)}`;
  const [place] = files
    .map(({ path }) => ({ path, at: stack.indexOf(`${path}:`) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at);
  if (place === undefined) return message;
  const line = Number.parseInt(stack.slice(place.at + place.path.length + 1), 10);
  return `${message} (${place.path} line ${line})`;
}

/** `npm init` writes a package.json by which every file beside it is CommonJS. */
const adviceOn = (error: Error): string =>
  error instanceof SyntaxError && /\bimport statement outside a module|Unexpected token 'export'/.test(error.message)
    ? '; the package.json above it makes it CommonJS: set "type": "module" there, or have the file end in .mts'
    : '';

/** The rules of a file: what it exports as `rules`, as `rule` or by default. */
function rulesIn(exported: Record<string, unknown>, file: string, faults: string[]): AnyRule[] {
  const one = exported['rule'] ?? exported['default'];
  const several = exported['rules'];
  const given = Array.isArray(several) ? several : one === undefined ? [] : [one];
  if (given.length === 0) {
    faults.push(
      `rules.files: ${file} exports no rule; it must export one as \`rule\` or by default, or a list as \`rules\``,
    );
  }
  return given.flatMap((rule, place) => {
    const where = given.length > 1 ? `rules.files: ${file}: rules[${place}]` : `rules.files: ${file}`;
    const checked = ruleShape.safeParse(rule);
    const fault = checked.success ? faultOfShape(rule as AnyRule) : null;
    if (checked.success && fault === null) return [rule as AnyRule];
    faults.push(...(checked.success ? [`${where}: ${fault}`] : describe(where, checked.error)));
    return [];
  });
}

function describe(where: string, error: unknown): string[] {
  if (!(error instanceof z.ZodError)) return [`${where}: ${(error as Error).message}`];
  return error.issues.map(
    (issue) => `${where}${issue.path.map((part) => `.${String(part)}`).join('')}: ${issue.message}`,
  );
}
