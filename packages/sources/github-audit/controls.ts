import type { Attributes } from '@tripline/contracts/attributes';
import { identifier, text, textRecord } from '../untrusted.ts';
import type { AuditFields, Telling } from './fields.ts';

type Kind = NonNullable<Attributes['tripline.control.kind']>;

/**
 * Which control an action changes, by its name. Protections of branches and rulesets are not among them: a record says which
 * setting changed and not what the control now demands, so that whatever compares the two would take it for relaxed.
 */
const kinds: readonly (readonly [pattern: RegExp, kind: Kind])[] = [
  [/^audit_log_streaming\.(?:create|update|destroy)$/, 'audit-stream'],
  [/^hook\.(?:create|destroy|active_changed|config_changed|events_changed)$/, 'hook'],
  [/^ip_allow_list(?:_entry)?\./, 'ip-allow-list'],
  [/^(?:org|business)\.(?:enable|disable)_two_factor_requirement$/, 'two-factor'],
  [/^(?:org|business)\.(?:add|remove|clear)_disallowed_two_factor_methods?$/, 'two-factor'],
  [/^(?:org|business)\.(?:enable|disable)_(?:saml|oidc|open_scim)$/, 'single-sign-on'],
  [/^(?:org|business)\.update_saml_provider_settings$/, 'single-sign-on'],
  [/^sso_(?:lockdown|redirect)\.(?:enable|disable)$/, 'single-sign-on'],
  [/^(?:org|enterprise)\.runner_group_/, 'runner-group'],
  [/^(?:org|repo|environment)\.(?:create|update|remove)_actions_secret$/, 'secret'],
  [/^(?:org|repo|environment)\.(?:create|update|remove)_actions_variable$/, 'variable'],
  [/^(?:org|repo|business)\.(?:set|update|clear)_(?:actions|fork_pr|default_workflow|workflow)_/, 'actions-policy'],
  [/^(?:org|business)\.update_(?:emu_)?repo_self_hosted_runners_policy$/, 'actions-policy'],
  [/^repo\.update_repo_self_hosted_runners_policy$/, 'actions-policy'],
  [/^personal_access_token\.(?:access_restriction|auto_approve_grant_requests|expiration_limit)_/, 'token-policy'],
  [/^auto_approve_personal_access_token_requests\./, 'token-policy'],
  [/^org\.(?:enable|disable)_oauth_app_restrictions$/, 'app-policy'],
  [/^(?:artifact\.destroy|checks\.delete_logs|workflows\.delete_workflow_run)$/, 'pipeline-evidence'],
];

/** What a record tells of a control that was changed: which, how, and what its fields were before. */
export function controlOf(fields: AuditFields, record: Readonly<Record<string, unknown>>): Telling | undefined {
  const { action } = fields;
  const kind = kinds.find(([pattern]) => pattern.test(action))?.[1];
  if (kind === undefined) return action === 'repo.access' ? visibilityOf(fields) : undefined;
  const changes = changesIn(record);
  return {
    type: 'dev.cdeventsx.tripline-control.changed',
    data: {
      'tripline.control.kind': kind,
      'tripline.control.action': text(action.slice(action.indexOf('.') + 1)),
      'tripline.control.id': kind === 'hook' ? identifier(fields.hook_id) : undefined,
      'tripline.control.name': text(fields.key ?? fields.name ?? fields.runner_group_name),
      'tripline.control.changes': changes.length === 0 ? undefined : textRecord(Object.fromEntries(changes)),
    },
  };
}

/** Former values by field, of which records have `old_<field>` or `previous_<field>`. */
function changesIn(record: Readonly<Record<string, unknown>>): [field: string, former: unknown][] {
  return Object.entries(record).flatMap(([name, value]) => {
    const field = /^(?:old|previous)_(?=\w)/.test(name) ? name.slice(name.indexOf('_') + 1) : undefined;
    return field === undefined || value === null ? [] : [[field, value] satisfies [string, unknown]];
  });
}

/** Only by the repository's id is it the same act as the webhook tells. */
function visibilityOf({ visibility, repo_id, previous_visibility, repo }: AuditFields): Telling | undefined {
  if (repo_id == null || (visibility !== 'public' && visibility !== 'private')) return undefined;
  return {
    type: 'dev.cdeventsx.tripline-control.changed',
    data: {
      'tripline.control.kind': 'visibility',
      'tripline.control.action': visibility === 'public' ? 'publicized' : 'privatized',
      'tripline.control.name': text(repo),
      'tripline.control.changes': previous_visibility ? textRecord({ visibility: previous_visibility }) : undefined,
    },
  };
}
