import type { Confidence, Severity } from '@tripline/contracts/finding';
import type { AnyRule } from '@tripline/contracts/rule';
import type { WorkspaceFacts } from './workspace-facts.ts';

/** What a user says otherwise of one rule, in one workspace or in all. */
export type Override = {
  rule: string;
  workspace?: string | undefined;
  /** Of each finding of the rule, whatever it says itself. */
  severity?: Severity | undefined;
  /** Findings less sure than that are told to nobody. */
  minConfidence?: Confidence | undefined;
  /** Whether its findings may page anybody; they are told all the same. */
  page?: boolean | undefined;
  settings?: Record<string, unknown> | undefined;
};

/**
 * A rule with the user's settings for it as written; `settings` are the same, checked and with defaults. `byWorkspace`: those
 * of workspaces for which overrides say otherwise.
 */
export type ConfiguredRule = {
  rule: AnyRule;
  written: Record<string, unknown>;
  settings: unknown;
  byWorkspace?: ReadonlyMap<string, unknown>;
  overrides?: readonly Override[];
};

/** @throws {z.ZodError} when the rule does not take `written`, or what overrides of it say. */
export function configureRule(
  rule: AnyRule,
  written: Record<string, unknown> = {},
  overrides: readonly Override[] = [],
): ConfiguredRule {
  const own = overrides.filter((override) => override.rule === rule.id);
  const everywhere = own.filter(({ workspace }) => workspace === undefined);
  const whole = Object.assign({}, written, ...everywhere.map(({ settings }) => settings));
  const configured = { rule, written: whole, settings: rule.settings.parse(whole) };
  if (own.length === 0) return configured;
  const byWorkspace = new Map<string, unknown>();
  for (const { workspace, settings } of own) {
    if (workspace === undefined || settings === undefined) continue;
    byWorkspace.set(workspace, rule.settings.parse({ ...whole, ...settings }));
  }
  return { ...configured, byWorkspace, overrides: own };
}

/** What overrides say of a rule in a workspace: of several that of the workspace, else the last. */
export function overridden<F extends 'severity' | 'minConfidence' | 'page'>(
  overrides: readonly Override[] | undefined,
  field: F,
  of: { rule: string; workspace: string },
): Override[F] {
  let said = undefined as Override[F];
  let isOwn = false;
  for (const override of overrides ?? []) {
    if (override.rule !== of.rule || override[field] === undefined) continue;
    if (override.workspace === of.workspace) isOwn = true;
    else if (override.workspace !== undefined || isOwn) continue;
    said = override[field];
  }
  return said;
}

/** A drill's own settings over the user's, checked once for each set of them. */
const merged = new WeakMap<object, Map<string, unknown>>();

/** @throws {z.ZodError} when the rule does not take the drill's settings. */
export function settingsFor(configured: ConfiguredRule, facts: WorkspaceFacts | undefined, workspace: string): unknown {
  const own = facts?.settings?.[configured.rule.id];
  if (own === undefined) return configured.byWorkspace?.get(workspace) ?? configured.settings;
  const byRule = merged.get(own) ?? new Map<string, unknown>();
  merged.set(own, byRule);
  if (!byRule.has(configured.rule.id)) {
    byRule.set(configured.rule.id, configured.rule.settings.parse({ ...configured.written, ...own }));
  }
  return byRule.get(configured.rule.id);
}
