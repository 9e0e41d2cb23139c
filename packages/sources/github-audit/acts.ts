import type { Attributes } from '@tripline/contracts/attributes';
import { gatePassed, protectionOverridden } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { factNamed, factOf, type Named } from '../github/fact.ts';
import type { AuditFields } from './fields.ts';

const teller = 'github-audit';

/**
 * Which act a record tells, by the name that the webhook's event gives it too: by the type of event where the record comes as one
 * that a webhook comes as, else by its action. Undefined where no webhook tells the act, or the record does not say by what to
 * know it.
 */
export function actOf(
  fields: AuditFields,
  type: Parameters<typeof factOf>[1],
  data: Attributes,
  time: string,
): ReturnType<typeof factOf> {
  if (type !== 'dev.cdeventsx.tripline-audit.recorded') return factOf(teller, type, data, time);
  const repository = data['vcs.repository.id'] ?? data['vcs.repository.name'];
  const named = nameOf(fields, data, repository);
  if (named !== undefined) return factNamed(teller, named, time);
  // One change of a protection is a record for each of its settings, and one delivery.
  const { action, name } = fields;
  if (settingsOfProtection.test(action) && name)
    return factNamed(`${teller}:${action}`, { parts: ['branch-protection', 'edited', repository, name] }, time);
  // Who is let in from outside is told by a record of the organisation beside that of the repository.
  if (action === 'org.add_outside_collaborator' && fields.user_id != null && repository !== undefined)
    return factNamed(
      `${teller}:${action}`,
      { parts: ['added', 'collaborator', repository, String(fields.user_id)] },
      time,
    );
  const own = repository === undefined ? undefined : byWhatItDid(fields, repository, time);
  return own === undefined ? undefined : { 'tripline.fact.id': clip(own, 512), 'tripline.fact.teller': teller };
}

/** Acts of which no webhook tells, but of what came of them. */
function byWhatItDid(fields: AuditFields, repository: string, time: string): string | undefined {
  const { action, branch, actor_id, after, workflow_run_id } = fields;
  if (action === 'workflows.bypass_protection_rules' && workflow_run_id != null)
    return gatePassed(repository, String(workflow_run_id));
  if (action !== 'protected_branch.policy_override') return undefined;
  if (after) return protectionOverridden(repository, after.toLowerCase());
  return branch && actor_id != null
    ? protectionOverridden(repository, `${branch.replace(/^refs\/heads\//, '')}/${actor_id}/${time.slice(0, 16)}`)
    : undefined;
}

const settingsOfProtection =
  /^protected_branch\.(?:update_\w+|dismiss_stale_reviews|authorized_users_teams|branch_allowances|dismissal_restricted_users_teams)$/;

function nameOf(fields: AuditFields, data: Attributes, repository: string | undefined): Named | undefined {
  const { action, name } = fields;
  const verb = action.slice(action.indexOf('.') + 1);
  switch (action) {
    case 'protected_branch.create':
    case 'protected_branch.destroy':
      return name ? { parts: ['branch-protection', verbs[verb], repository, name] } : undefined;
    case 'repository_ruleset.create':
    case 'repository_ruleset.update':
    case 'repository_ruleset.destroy':
      return fields.ruleset_id == null
        ? undefined
        : { parts: ['ruleset', verbs[verb], repository, String(fields.ruleset_id)] };
    case 'repository_branch_protection_evaluation.enable':
    case 'repository_branch_protection_evaluation.disable':
      return { parts: ['branch-protection-switch', `${verb}d`, repository] };
    case 'repo.update_default_branch':
      return { parts: ['default-branch', repository] };
    case 'repo.create':
      return repository === undefined ? undefined : { parts: ['repository', 'created'], id: repository };
    case 'secret_scanning_alert.create':
    case 'secret_scanning_alert.public_leak': {
      const number = fields.alert_number ?? fields.number;
      const told = verb === 'create' ? 'created' : 'publicly_leaked';
      return number == null ? undefined : { parts: ['secret-scanning', told, repository], id: String(number) };
    }
    case 'public_key.create':
      return fields.repo && fields.fingerprint?.startsWith('SHA256:')
        ? { parts: ['added', 'deploy-key', repository], id: fields.fingerprint, isAgain: true }
        : undefined;
    case 'team.add_member':
    case 'team.remove_member': {
      const told = verb === 'add_member' ? 'added' : 'removed';
      const team = fields.team?.includes('/') ? fields.team : undefined;
      return team && fields.user_id != null
        ? { parts: [told, 'team-member', team, String(fields.user_id)] }
        : undefined;
    }
    case 'team.add_repository':
    case 'team.update_repository_permission':
    case 'team.remove_repository': {
      const slug = fields.team?.split('/')[1];
      return slug && repository ? { parts: [rightsOfTeams[verb], 'team-repository', repository, slug] } : undefined;
    }
    case 'team.change_parent_team': {
      const [organization, slug] = (fields.team ?? '').split('/');
      return slug ? { parts: ['changed', 'team', organization, slug] } : undefined;
    }
    case 'personal_access_token.access_granted':
    case 'personal_access_token.request_created': {
      const id = fields.user_programmatic_access_request_id;
      const told = verb === 'access_granted' ? 'added' : 'requested';
      return id == null ? undefined : { parts: [told, 'personal-access-token'], id: String(id) };
    }
    default:
      return ofApp(fields, verb, data['vcs.owner.name']);
  }
}

const rightsOfTeams: Readonly<Record<string, string>> = {
  ...{ add_repository: 'added', update_repository_permission: 'changed', remove_repository: 'removed' },
};
const verbs: Readonly<Record<string, string>> = { create: 'created', update: 'edited', destroy: 'deleted' };

/** Of installations: the webhook's type of grant, and of what. */
const installing: ReadonlyMap<string, readonly [verb: string, kind: string]> = new Map([
  ['create', ['added', 'app-installation']],
  ['unsuspend', ['added', 'app-installation']],
  ['version_updated', ['changed', 'app-installation']],
  ['suspend', ['removed', 'app-installation']],
  ['destroy', ['removed', 'app-installation']],
  ['repositories_added', ['added', 'app-repositories']],
  ['repositories_removed', ['removed', 'app-repositories']],
]);

function ofApp({ action, integration, name }: AuditFields, verb: string, owner: string | undefined): Named | undefined {
  const told = action.startsWith('integration_installation.') ? installing.get(verb) : undefined;
  const app = integration || name;
  // A webhook names the app as its address does.
  return told && app && owner
    ? { parts: [...told, owner, app.toLowerCase().replaceAll(/[^a-z0-9-]+/g, '-')] }
    : undefined;
}
