import type { AnyRule } from '@tripline/contracts/rule';

/**
 * The rules by which the detector is measured: those of the day on which the gate's ratio was recorded. Each further rule costs
 * an event something, so a detector that was measured with all of them could not be held against what it cost before; what
 * the further ones cost is a row of its own (catalogue.ts). A rule leaves this list only with the registry.
 */
const pinned: ReadonlySet<string> = new Set([
  'credential-new-runner',
  'build-from-unreviewed-commit',
  'privilege-grant-outside-job',
  'grant-outlived-job',
  'break-glass-opened',
  'deploy-key-write-added',
  'mass-workflow-push',
  'token-bulk-clone',
  'self-hosted-runner-fork',
  'release-tag-moved',
  'protection-weakened-then-push',
  'protection-left-relaxed',
  'credential-new-hosted-class',
  'state-flooded',
  'audit-org-disable-two-factor-requirement',
  'audit-business-disable-two-factor-requirement',
  'audit-org-clear-disallowed-two-factor-methods',
  'audit-audit-log-streaming-destroy',
  'audit-audit-log-streaming-update',
  'audit-org-disable-saml',
]);

/** Those of `rules` that are pinned, in their order. @throws {Error} when one of them is missing. */
export function pinnedOf<Of>(rules: readonly Of[], ruleOf: (of: Of) => AnyRule): Of[] {
  const found = rules.filter((one) => pinned.has(ruleOf(one).id));
  if (found.length === pinned.size) return found;
  const ids = new Set(found.map((one) => ruleOf(one).id));
  throw new Error(`pinned, and not in the registry: ${[...pinned].filter((id) => !ids.has(id)).join(', ')}`);
}
