import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType } from '@tripline/contracts/event';
import { identifier, loginText, text, texts } from '../untrusted.ts';
import { controlOf } from './controls.ts';
import type { AuditFields, Draft, Telling } from './fields.ts';

/**
 * What a record tells by its action. Undefined where there is no more specific type, or where the record says less than facts
 * and rules must know of an event of that type: README.md names these.
 */
export function tellingOf(fields: AuditFields, record: Readonly<Record<string, unknown>>): Telling | undefined {
  const { action } = fields;
  return (Object.hasOwn(tellers, action) ? tellers[action]!(fields) : undefined) ?? controlOf(fields, record);
}

type Teller = (fields: AuditFields) => Telling | undefined;

const added = 'dev.cdeventsx.tripline-grant.added';
const changed = 'dev.cdeventsx.tripline-grant.changed';
const removed = 'dev.cdeventsx.tripline-grant.removed';

const read: Teller = () => ({ type: 'dev.cdeventsx.tripline-repository.read', data: {} });

/**
 * A right of an account. Without the ids of both it would be another grant than the one that a webhook tells. Whoever gave it to
 * themselves accepted an invitation, of which the record does not say who sent it.
 */
function grant(type: EventType, kind: 'collaborator' | 'org-member' | 'enterprise-admin'): Teller {
  return (fields) => {
    const { user, user_id, actor, actor_id } = fields;
    const target = targetOf(kind, fields);
    if (!user || user_id == null || target['tripline.grant.target_id'] === undefined) return undefined;
    const isOwn = actor_id == null ? actor?.toLowerCase() === user.toLowerCase() : String(actor_id) === String(user_id);
    if (isOwn && type === added) return undefined;
    const [permission, before] = [rightOf(kind, fields), formerRightOf(kind, fields)];
    if (type === changed && (permission === undefined || before === undefined)) return undefined;
    return {
      type,
      data: {
        'tripline.grant.kind': kind,
        'tripline.grant.grantee': loginText(user),
        'tripline.grant.grantee_id': identifier(user_id),
        ...target,
        'tripline.grant.permission': type === removed ? undefined : permission,
        'tripline.grant.permission_before': type === changed ? before : undefined,
      },
    };
  };
}

function targetOf(kind: Attributes['tripline.grant.kind'], fields: AuditFields): Draft {
  const { repo, repo_id, repository_id, org, org_id, business, business_id } = fields;
  const [name, id] =
    kind === 'collaborator'
      ? [repo, repo_id ?? repository_id]
      : kind === 'org-member'
        ? [org, org_id]
        : [business, business_id];
  if (typeof name !== 'string' || Array.isArray(id)) return {};
  return { 'tripline.grant.target': text(name), 'tripline.grant.target_id': identifier(id) };
}

/** Roles in an organisation as its webhooks call them: the log calls them `admin` and `read`. */
const roles = new Map([
  ['admin', 'admin'],
  ['read', 'member'],
]);
const inWordsOf = (kind: Attributes['tripline.grant.kind'], word: string | null | undefined) =>
  kind === 'org-member' ? roles.get(word ?? '') : text(word || undefined);
const rightOf = (kind: Attributes['tripline.grant.kind'], { permission, new_repo_permission }: AuditFields) =>
  inWordsOf(kind, new_repo_permission ?? permission);
const formerRightOf = (kind: Attributes['tripline.grant.kind'], { old_permission, old_repo_permission }: AuditFields) =>
  inWordsOf(kind, old_repo_permission ?? old_permission);

/** A person's own key for SSH. A repository's is left: the log knows it by its fingerprint, and webhooks by its number. */
function sshKey(type: EventType): Teller {
  return ({ repo, user, user_id, actor, actor_id, title, fingerprint }) => {
    if (repo || !fingerprint) return undefined;
    const [login, id] = user ? [user, user_id] : [actor, actor_id];
    return {
      type,
      data: {
        'tripline.grant.kind': 'ssh-key',
        'tripline.grant.id': identifier(fingerprint),
        'tripline.grant.grantee': text(title) || 'a key without a title',
        'tripline.grant.target': loginText(login),
        'tripline.grant.target_id': identifier(id),
      },
    };
  };
}

/** A runner is its number and its name. `singleUse`: it is configured just in time, for one job. */
function runner(type: EventType, singleUse?: true): Teller {
  return ({ runner_id, runner_name, runner_labels, runner_group_id, runner_group_name }) => {
    if (runner_id == null || !runner_name) return undefined;
    return {
      type,
      data: {
        'cicd.worker.id': identifier(runner_id),
        'cicd.worker.name': text(runner_name),
        'tripline.worker.labels': texts(listOf(runner_labels)),
        'tripline.worker.group.id': identifier(runner_group_id),
        'tripline.worker.group.name': text(runner_group_name),
        'tripline.worker.hosted': false,
        'tripline.runner.single_use': singleUse,
      },
    };
  };
}
const registered = runner('dev.cdeventsx.tripline-runner.registered');
const justInTime = runner('dev.cdeventsx.tripline-runner.registered', true);
const gone = runner('dev.cdeventsx.tripline-runner.removed');

const listOf = (given: string | readonly string[] | null | undefined): readonly string[] | undefined =>
  typeof given === 'string' ? given.split(/[\s,]+/).filter((one) => one !== '') : (given ?? undefined);

/** GitHub's own token is given to every job, and is another for each. */
const isOwnToken = (name: string): boolean => /^(?:system\.)?github[._]token$/i.test(name);

/** Secrets were handed to a job. One that was given none used no credential. */
const handed: Teller = (fields) => {
  const { workflow_run_id, job_name, secrets_passed, is_hosted_runner, environment_name, job_workflow_ref } = fields;
  const secrets = (listOf(secrets_passed) ?? []).filter((name) => !isOwnToken(name));
  if (secrets.length === 0 || workflow_run_id == null) return undefined;
  return {
    type: 'dev.cdeventsx.tripline-credential.used',
    data: {
      'cicd.pipeline.run.id': identifier(workflow_run_id),
      'cicd.pipeline.task.name': text(job_name),
      'tripline.credential.id': identifier(`${workflow_run_id}/${job_name ?? ''}`),
      // Of whoever set the run off, and not what the job was given: it would be taken for that.
      'tripline.credential.token_hash': undefined,
      'tripline.credential.secrets': texts(secrets),
      'tripline.worker.labels': texts(listOf(fields.runner_labels)),
      'tripline.worker.hosted': is_hosted_runner ?? undefined,
      'deployment.environment.name': text(environment_name || undefined),
      'tripline.identity.subject': text(job_workflow_ref || undefined),
    },
  };
};

/**
 * A token or key was made. With which token, if any, is left: whether a record's hash is of that one or of the new one is not
 * documented.
 */
function issued(kind: string): Teller {
  return ({ user_programmatic_access_id, scopes }) => ({
    type: 'dev.cdeventsx.tripline-credential.issued',
    data: {
      'tripline.credential.kind': kind,
      'tripline.credential.id': identifier(user_programmatic_access_id),
      'tripline.credential.token_hash': undefined,
      'tripline.credential.scopes': texts(listOf(scopes)),
    },
  });
}

/** Somebody proved who they are, or changed by what they can. A second factor was given only where the record is of that. */
function proof(method: string, mfa: NonNullable<Attributes['tripline.identity.mfa']> = 'unknown'): Teller {
  return () => ({
    type: 'dev.cdeventsx.tripline-identity.authenticated',
    data: { 'tripline.identity.mfa': mfa, 'tripline.identity.method': method },
  });
}

const tellers: Readonly<Record<string, Teller>> = {
  'business.add_admin': grant(added, 'enterprise-admin'),
  'business.remove_admin': grant(removed, 'enterprise-admin'),
  'business.sso_response': proof('single sign-on'),
  'enterprise.configure_self_hosted_jit_runner': justInTime,
  'enterprise.register_self_hosted_runner': registered,
  'enterprise.remove_self_hosted_runner': gone,
  'git.clone': read,
  'git.fetch': read,
  'integration.generate_client_secret': issued('app-client-secret'),
  'oauth_access.create': issued('oauth-access'),
  'oauth_application.generate_client_secret': issued('oauth-app-client-secret'),
  'org.add_member': grant(added, 'org-member'),
  'org.configure_self_hosted_jit_runner': justInTime,
  'org.register_self_hosted_runner': registered,
  'org.remove_member': grant(removed, 'org-member'),
  'org.remove_self_hosted_runner': gone,
  'org.sso_response': proof('single sign-on'),
  'org.update_member': grant(changed, 'org-member'),
  'passkey.register': proof('passkey'),
  'passkey.remove': proof('passkey'),
  'personal_access_token.create': issued('fine-grained-personal-access-token'),
  'public_key.create': sshKey(added),
  'public_key.delete': sshKey(removed),
  'repo.add_member': grant(added, 'collaborator'),
  'repo.configure_self_hosted_jit_runner': justInTime,
  'repo.download_zip': read,
  'repo.register_self_hosted_runner': registered,
  'repo.remove_member': grant(removed, 'collaborator'),
  'repo.remove_self_hosted_runner': gone,
  'repo.update_member': grant(changed, 'collaborator'),
  'security_key.register': proof('security key'),
  'security_key.remove': proof('security key'),
  'two_factor_authentication.add_factor': proof('second factor'),
  'two_factor_authentication.disabled': proof('second factor', 'no'),
  'two_factor_authentication.enabled': proof('second factor'),
  'two_factor_authentication.remove_factor': proof('second factor'),
  'user.login': proof('login'),
  'user.two_factor_challenge_success': proof('second factor', 'yes'),
  'workflows.prepared_workflow_job': handed,
};
