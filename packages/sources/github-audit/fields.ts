import type { AttributeName, Attributes } from '@tripline/contracts/attributes';
import type { EventType } from '@tripline/contracts/event';
import { z } from 'zod';

/**
 * The fields of an audit record that Tripline relies on, under GitHub's names. Each is optional at GitHub, and one of another
 * form is left out: the rest is read all the same.
 */
const text = z.string().nullish().catch(undefined);
const identifier = z.union([z.string(), z.number()]).nullish().catch(undefined);
const flag = z.boolean().nullish().catch(undefined);
/** A name, or a list of them where the record is about several. */
const names = z
  .union([z.string(), z.array(z.string())])
  .nullish()
  .catch(undefined);
const ids = z
  .union([z.string(), z.number(), z.array(z.union([z.string(), z.number()]))])
  .nullish()
  .catch(undefined);
/** Ms since the epoch, or RFC 3339. */
const instant = z.union([z.number(), z.string()]).nullish().catch(undefined);

export const auditFields = z.object({
  action: z.string().min(1).max(200),
  _document_id: identifier,
  '@timestamp': instant,
  created_at: instant,
  actor: text,
  actor_id: identifier,
  actor_ip: text,
  actor_is_bot: flag,
  user_agent: text,
  org: names,
  org_id: ids,
  business: text,
  repo: text,
  repository: text,
  repo_id: identifier,
  repository_id: identifier,
  public_repo: flag,
  visibility: text,
  previous_visibility: text,
  hashed_token: text,
  hook_id: identifier,
  token_id: identifier,
  business_id: identifier,
  /** Whom it is about. */
  user: text,
  user_id: identifier,
  permission: text,
  old_permission: text,
  new_repo_permission: text,
  old_repo_permission: text,
  /** Of a key. */
  title: text,
  fingerprint: text,
  /** Of a secret, a variable, a hook. */
  key: text,
  name: text,
  runner_id: identifier,
  runner_name: text,
  runner_labels: names,
  runner_group_id: identifier,
  runner_group_name: text,
  workflow_run_id: identifier,
  job_name: text,
  job_workflow_ref: text,
  is_hosted_runner: flag,
  environment_name: text,
  secrets_passed: names,
  user_programmatic_access_id: identifier,
  user_programmatic_access_request_id: identifier,
  /** Of an app's installation, a ruleset, an alert. */
  integration: text,
  ruleset_id: identifier,
  number: identifier,
  alert_number: identifier,
  /** `organization/team`. */
  team: text,
  scopes: names,
  /** Of a push. */
  after: text,
  branch: text,
});
export type AuditFields = z.infer<typeof auditFields>;

/** Attributes as they are filled in: what the record does not say is undefined, and left out afterwards. */
export type Draft = { [Name in AttributeName]?: Attributes[Name] | undefined };

/** What a record tells beyond what every record says. */
export type Telling = { type: EventType; data: Draft };
