import type { Check } from '@tripline/contracts/check';
import type { ConfiguredRule } from '@tripline/engine/settings';

/** Rules that judge grants by which workflows may make them. */
const judging = ['privilege-grant-outside-job', 'grant-outlived-job'];

/** Which workflows may grant. Without one nothing can authorise a grant, so each is told at low severity and pages nobody. */
export function checkGranting(configured: readonly Pick<ConfiguredRule, 'rule' | 'settings'>[]): Check[] {
  const name = 'granting workflows';
  const on = configured.filter(({ rule }) => judging.includes(rule.id));
  const missing = on.filter(({ settings }) => workflowsOf(settings).length === 0);
  if (on.length === 0) return [{ name, state: 'off', detail: 'the rules on grants are off' }];
  const [first] = missing;
  if (first !== undefined) {
    const detail = `none is configured for ${missing.map(({ rule }) => rule.id).join(' and ')}: grants are reported at low severity and page nobody`;
    const remedy = `where rights are given by a workflow, name it and its account: grantingWorkflows and grantingActors under rules.settings.${first.rule.id}`;
    return [{ name, state: 'off', detail, remedy }];
  }
  const workflows = new Set(on.flatMap(({ settings }) => workflowsOf(settings)));
  return [{ name, state: 'ok', detail: [...workflows].join(', ') }];
}

function workflowsOf(settings: unknown): readonly string[] {
  return (settings as { grantingWorkflows?: readonly string[] }).grantingWorkflows ?? [];
}
