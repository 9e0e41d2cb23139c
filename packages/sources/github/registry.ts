import type { EmitterWebhookEventName } from '@octokit/webhooks';
import * as alert from './alert.ts';
import * as change from './change.ts';
import * as control from './control.ts';
import * as deployment from './deployment.ts';
import type { GithubEvent } from './family.ts';
import * as grant from './grant.ts';
import * as publication from './publication.ts';
import * as ref from './ref.ts';
import * as ticket from './ticket.ts';
import * as wiki from './wiki.ts';
import * as workflow from './workflow.ts';

/**
 * A name as `X-GitHub-Event` gives it: by Octokit's list, without the action that its emitter adds; and of what Enterprise
 * Cloud and Enterprise Server send beside it, by GitHub's own descriptions.
 */
type GithubEventName =
  | Exclude<EmitterWebhookEventName, `${string}.${string}`>
  | 'bypass_request_secret_scanning'
  | 'cache_sync'
  | 'dismissal_request_code_scanning'
  | 'dismissal_request_dependabot'
  | 'dismissal_request_secret_scanning'
  | 'enterprise'
  | 'exemption_request_push_ruleset'
  | 'organization_custom_property'
  | 'organization_custom_property_values'
  | 'user';

/** The events of GitHub that Tripline reads, by the name that `X-GitHub-Event` gives them. */
export const readEvents: ReadonlyMap<string, GithubEvent> = new Map<GithubEventName, GithubEvent>([
  ['branch_protection_configuration', control.branchProtectionConfiguration],
  ['branch_protection_rule', control.branchProtectionRule],
  ['bypass_request_secret_scanning', control.exemptionRequest],
  ['check_run', publication.checkRun],
  ['check_suite', publication.checkSuite],
  ['code_scanning_alert', alert.codeScanningAlert],
  ['commit_comment', ticket.commitComment],
  ['create', ref.create],
  ['custom_property', control.customProperty],
  ['custom_property_values', control.customPropertyValues],
  ['delete', ref.deleteEvent],
  ['dependabot_alert', alert.dependabotAlert],
  ['deploy_key', grant.deployKey],
  ['deployment', deployment.deployment],
  ['deployment_protection_rule', deployment.deploymentProtectionRule],
  ['deployment_review', deployment.deploymentReview],
  ['deployment_status', deployment.deploymentStatus],
  ['discussion', ticket.discussion],
  ['discussion_comment', ticket.discussionComment],
  ['dismissal_request_code_scanning', control.exemptionRequest],
  ['dismissal_request_dependabot', control.exemptionRequest],
  ['dismissal_request_secret_scanning', control.exemptionRequest],
  ['enterprise', control.enterprise],
  ['exemption_request_push_ruleset', control.exemptionRequest],
  ['fork', publication.fork],
  ['github_app_authorization', grant.githubAppAuthorization],
  ['gollum', wiki.gollum],
  ['installation', grant.installation],
  ['installation_repositories', grant.installationRepositories],
  ['issue_comment', ticket.issueComment],
  ['issues', ticket.issues],
  ['member', grant.member],
  ['membership', grant.membership],
  ['merge_group', change.mergeGroup],
  ['meta', control.meta],
  ['org_block', control.orgBlock],
  ['organization', control.organization],
  ['organization_custom_property', control.customProperty],
  ['organization_custom_property_values', control.customPropertyValues],
  ['package', publication.packageEvent],
  ['personal_access_token_request', grant.personalAccessTokenRequest],
  ['public', control.publicEvent],
  ['pull_request', change.pullRequestEvent],
  ['pull_request_review', change.review],
  ['pull_request_review_comment', ticket.reviewComment],
  ['push', ref.push],
  ['registry_package', publication.registryPackage],
  ['release', publication.release],
  ['repository', control.repositoryEvent],
  ['repository_ruleset', control.repositoryRuleset],
  ['repository_vulnerability_alert', alert.repositoryVulnerabilityAlert],
  ['secret_scanning_alert', alert.secretScanningAlert],
  ['secret_scanning_alert_location', alert.secretScanningAlertLocation],
  ['security_and_analysis', control.securityAndAnalysis],
  ['team', grant.team],
  ['team_add', grant.teamAdd],
  ['workflow_job', workflow.workflowJob],
  ['workflow_run', workflow.workflowRun],
]);

/** The events of GitHub that are not read, with the keys that identify their bodies. */
export const unreadEvents: ReadonlyMap<string, readonly string[]> = new Map<GithubEventName, readonly string[]>([
  ['cache_sync', ['cache_location', 'ref', 'before', 'after']],
  ['installation_target', ['target_type', 'account']],
  ['issue_dependencies', ['action']],
  ['label', ['action', 'label']],
  ['marketplace_purchase', ['action', 'marketplace_purchase']],
  ['milestone', ['action', 'milestone']],
  ['page_build', ['build']],
  ['ping', []],
  ['project', ['action', 'project']],
  ['project_card', ['action', 'project_card']],
  ['project_column', ['action', 'project_column']],
  ['projects_v2', ['action', 'projects_v2']],
  ['projects_v2_item', ['action', 'projects_v2_item']],
  ['projects_v2_status_update', ['action', 'projects_v2_status_update']],
  ['pull_request_review_thread', ['action', 'thread', 'pull_request']],
  ['repository_advisory', ['action', 'repository_advisory']],
  ['repository_dispatch', ['action', 'branch', 'client_payload']],
  ['repository_import', ['status', 'repository']],
  ['secret_scanning_scan', ['action', 'completed_at']],
  ['security_advisory', ['action', 'security_advisory']],
  ['sponsorship', ['action', 'sponsorship']],
  ['star', ['action', 'starred_at']],
  ['status', ['sha', 'context', 'state']],
  ['sub_issues', ['action']],
  ['user', ['action']],
  ['watch', ['action', 'repository']],
  ['workflow_dispatch', ['inputs', 'workflow']],
]);

/** Keys that any body may contain; they identify no event. */
const everywhere = new Set(['repository', 'organization', 'sender', 'installation', 'enterprise', 'changes']);

/** Keys that identify some event, each with the keys of those events. */
const owners = new Map<string, (readonly string[])[]>();
for (const marks of [...[...readEvents.values()].map((event) => event.marks), ...unreadEvents.values()]) {
  for (const key of marks) if (!everywhere.has(key)) owners.set(key, [...(owners.get(key) ?? []), marks]);
}

/**
 * Whether the top-level keys are those of the claimed event: the header is not signed, and a body with all the keys of
 * another event belongs to that event. New keys of GitHub's do no harm, not even ones that other events have too.
 */
export function keysFit(body: Record<string, unknown>, event: GithubEvent): boolean {
  const has = (key: string) => Object.hasOwn(body, key);
  if (!event.marks.every(has) || event.lacks.some(has)) return false;
  for (const key in body) {
    const marked = owners.get(key);
    if (marked === undefined || event.marks.includes(key) || event.carries.includes(key)) continue;
    if (marked.some((marks) => marks.every(has))) return false;
  }
  return true;
}
