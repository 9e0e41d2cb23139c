import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Config } from '@tripline/config/config';
import type { AnyRule } from '@tripline/contracts/rule';
import { faultOfOwnership } from '@tripline/runtime/ownership';
import { type RefusedRule, readRules } from '@tripline/sigma/read-rules';
import { faultOfLogSource, ruleIdOf, ruleOfSigma } from '@tripline/sigma/rule';
import { areAsLoaded, type RuleFile, sigmaFilesOf } from './rule-files.ts';

/** A rule that was made of a Sigma rule: its own id, where its file gives it one, and the file that it came from. */
export type LoadedSigma = { rule: AnyRule; sigma: { id: string | null; file: string } };
/** One that is not run, and why. `rule`: the id that it would have; `isOther`: its log source is told by no feed. */
export type RefusedSigma = RefusedRule & { rule?: string | undefined; isOther: boolean };
/** What the folders of `rules.sigma` held. */
export type SigmaRules = {
  rules: readonly LoadedSigma[];
  refused: readonly RefusedSigma[];
  files: readonly RuleFile[];
};

/**
 * The Sigma rules of `rules.sigma`. What is outside of the subset is refused by name, and the others are loaded all the same. Faults
 * are what nobody can mean: a folder that is not there, a file that others may write, and a file of which something was in force
 * (`former`) and can no longer be read; then the former stay.
 */
export function loadSigmaRules(
  { rules, baseDir }: Pick<Config, 'rules' | 'baseDir'>,
  faults: string[],
  former?: SigmaRules,
): SigmaRules {
  const loaded: LoadedSigma[] = [];
  const refused: RefusedSigma[] = [];
  const paths = new Set<string>();
  for (const folder of rules.sigma) {
    try {
      for (const path of sigmaFilesOf(folder, baseDir)) paths.add(path);
    } catch (error) {
      faults.push(`rules.sigma: ${folder} cannot be read: ${(error as Error).message}`);
    }
  }
  const shown = (path: string) => (relative(baseDir, path).startsWith('..') ? path : relative(baseDir, path));
  if (former !== undefined && faults.length === 0) {
    const isSame = former.files.length === paths.size && former.files.every(({ path }) => paths.has(path));
    if (isSame && areAsLoaded(former.files)) return former;
  }
  const files: RuleFile[] = [];
  const byId = new Map<string, string>();
  for (const path of paths) {
    const file = shown(path);
    try {
      const fault = faultOfOwnership(path);
      if (fault !== null) throw new Error(fault);
      const bytes = readFileSync(path);
      files.push({ path, sha256: createHash('sha256').update(bytes).digest('hex') });
      takeFile(bytes.toString(), file, { loaded, refused, byId });
    } catch (error) {
      faults.push(`rules.sigma: ${file} cannot be read: ${(error as Error).message}`);
    }
  }
  faults.push(...lostSince(former, loaded, refused));
  return { rules: loaded, refused, files };
}

/** The rules of one file, and what of it is refused. */
function takeFile(
  text: string,
  file: string,
  into: { loaded: LoadedSigma[]; refused: RefusedSigma[]; byId: Map<string, string> },
): void {
  const read = readRules(text, file);
  for (const one of read.refused) into.refused.push({ ...one, rule: ruleIdOf(one), isOther: false });
  for (const one of read.rules) {
    const { title } = one;
    const other = faultOfLogSource(one.logsource);
    const id = ruleIdOf(one);
    const first = id === undefined ? undefined : into.byId.get(id);
    const reason =
      other ??
      (id === undefined ? 'it has neither a UUID as its id nor a title of letters' : undefined) ??
      (first === undefined ? undefined : `${first} already has a rule of this id or title`);
    if (reason !== undefined || id === undefined) {
      into.refused.push({
        file,
        title,
        reason: reason!,
        rule: first === undefined ? id : undefined,
        isOther: other !== undefined,
      });
      continue;
    }
    into.byId.set(id, file);
    into.loaded.push({ rule: ruleOfSigma(one, id), sigma: { id: one.id ?? null, file } });
  }
}

/** What was in force and is now refused: nobody takes a rule out of force by a mistake in its file. */
function lostSince(
  former: SigmaRules | undefined,
  loaded: readonly LoadedSigma[],
  refused: readonly RefusedSigma[],
): string[] {
  const ids = new Set(loaded.map(({ rule }) => rule.id));
  const lost = (former?.rules ?? []).filter(({ rule }) => !ids.has(rule.id));
  const reasons = new Map(refused.map(({ file, reason }) => [file, reason]));
  return lost.flatMap(({ rule, sigma }) => {
    const reason = reasons.get(sigma.file);
    return reason === undefined
      ? []
      : [`rules.sigma: ${sigma.file}: ${rule.title} is in force, and now refused: ${reason}`];
  });
}
