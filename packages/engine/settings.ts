import type { AnyRule } from '@tripline/contracts/rule';
import type { WorkspaceFacts } from './workspace-facts.ts';

/** A rule with the user's settings for it as written; `settings` are the same, checked and with defaults. */
export type ConfiguredRule = { rule: AnyRule; written: Record<string, unknown>; settings: unknown };

/** @throws {z.ZodError} when the rule does not take `written`. */
export function configureRule(rule: AnyRule, written: Record<string, unknown> = {}): ConfiguredRule {
  return { rule, written, settings: rule.settings.parse(written) };
}

/** A drill's own settings over the user's, checked once for each set of them. */
const merged = new WeakMap<object, Map<string, unknown>>();

/** @throws {z.ZodError} when the rule does not take the drill's settings. */
export function settingsFor(configured: ConfiguredRule, facts: WorkspaceFacts | undefined): unknown {
  if (facts?.settings === undefined) return configured.settings;
  const own = facts.settings[configured.rule.id];
  if (own === undefined) return configured.settings;
  const byRule = merged.get(own) ?? new Map<string, unknown>();
  merged.set(own, byRule);
  if (!byRule.has(configured.rule.id)) {
    byRule.set(configured.rule.id, configured.rule.settings.parse({ ...configured.written, ...own }));
  }
  return byRule.get(configured.rule.id);
}
