import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from '@tripline/config/config';
import { loadRuleSet, type RuleSet } from '@tripline/detector/load-rules';
import { exceptionSettings, overrideSettings, silenceSettings } from '@tripline/incidents/settings';
import { ConfigError, readYaml } from '@tripline/runtime/load-settings';
import { z } from 'zod';
import { inALine } from '../rules/facts.ts';

/** What is tried out, over what tripline.yaml says. Paths as they were given. */
export type Change = {
  /** Files or folders of rules, Sigma rules among them, beside those that it names. */
  rulesFiles: readonly string[];
  /** A YAML file of `exceptions`, `overrides` and `silences`, beside those that it holds. */
  exceptionsFile: string | undefined;
};

const policies = z.strictObject({
  exceptions: z.array(exceptionSettings).default([]),
  overrides: z.array(overrideSettings).default([]),
  silences: z.array(silenceSettings).default([]),
});

/**
 * The rule set with the change. `own`: ids of the rules that its files define; `refused`: Sigma rules of them that are not run,
 * and why, a line each.
 * @throws {ConfigError} naming what is wrong.
 */
export async function ruleSetWith(
  config: Config,
  { rulesFiles, exceptionsFile }: Change,
  cwd: string,
): Promise<{ set: RuleSet; own: Set<string>; refused: string[] }> {
  const { filesNamedBy, sigmaFilesOf } = await import('@tripline/detector/rule-files');
  const sigma = new Set(rulesFiles.flatMap((file) => sigmaIn(file)));
  const named = (file: string, baseDir: string) => {
    try {
      return filesNamedBy(file, baseDir);
    } catch {
      // Loading reports what is wrong with it.
      return [resolve(baseDir, file)];
    }
  };
  const known = new Set(config.rules.files.flatMap((file) => named(file, config.baseDir)));
  const given = new Set(rulesFiles.flatMap((file) => ofPrograms(file)));
  const more = [...given].filter((path) => !known.has(path));
  const added = exceptionsFile === undefined ? policies.parse({}) : readPolicies(resolve(cwd, exceptionsFile));
  const set = await loadRuleSet({
    ...config,
    rules: {
      ...config.rules,
      files: [...config.rules.files, ...more],
      sigma: [...config.rules.sigma, ...sigma],
    },
    exceptions: [...config.exceptions, ...added.exceptions],
    overrides: [...config.overrides, ...added.overrides],
    silences: [...config.silences, ...added.silences],
  });
  const isGiven = (file: string) =>
    given.has(resolve(config.baseDir, file)) || sigma.has(resolve(config.baseDir, file));
  const own = [
    ...set.own.rules.filter(({ file }) => isGiven(file)),
    ...set.sigma.rules.filter(({ sigma: { file } }) => isGiven(file)),
  ];
  const refused = set.sigma.refused.filter(({ file }) => isGiven(file));
  return { set, own: new Set(own.map(({ rule }) => rule.id)), refused: refused.map(inALine) };

  /** The Sigma rules that are named by their file or their folder. */
  function sigmaIn(file: string): string[] {
    const isOne = /\.ya?ml$/.test(file);
    try {
      return isOne || statSync(resolve(cwd, file)).isDirectory() ? sigmaFilesOf(file, cwd) : [];
    } catch {
      return isOne ? [resolve(cwd, file)] : [];
    }
  }
  /** A folder of nothing but Sigma rules names no others. */
  function ofPrograms(file: string): string[] {
    if (/\.ya?ml$/.test(file)) return [];
    const programs = named(file, cwd);
    return programs.length === 0 && sigmaIn(file).length === 0 ? [resolve(cwd, file)] : programs;
  }
}

function readPolicies(file: string): z.infer<typeof policies> {
  const parsed = policies.safeParse(readYaml(file));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${file}: ${path.join('.') || 'the file'}: ${message}`);
  throw new ConfigError(faults.join('\n'));
}
