import { describeTarget, type Intent, verbOf } from '@tripline/contracts/response';

/** Instructions for a person, where Tripline has no action: where at GitHub, and what to do. */
export function wordsFor(intent: Intent): string {
  const at = `https://${intent.instance}`;
  const page = (...parts: string[]) => [at, ...parts.map((part) => encodeURI(part))].join('/');
  switch (intent.action) {
    case 'revoke-grant': {
      if (intent.grant !== 'app-installation') return `${verbOf(intent)} (${describeTarget(intent)})`;
      const { organization, app, installationId: id } = intent;
      const where = page('organizations', organization, 'settings/installations', ...(id === undefined ? [] : [id]));
      return `Suspend the app ${app} at ${where}`;
    }
    case 'restore-permission':
      return wordsForPermission(intent, page);
    case 'reject-deployment':
      return `Press "Review deployments" at ${page(intent.repository, 'actions/runs', intent.runId)} and reject ${intent.environment}`;
    case 'restore-ref': {
      const { ref, refType, formerRevision } = intent;
      const where = page(intent.repository, refType === 'tag' ? 'tags' : 'branches');
      if (formerRevision === null) return `Delete the ${refType} ${ref} at ${where}: there was none before`;
      const full = `refs/${refType === 'tag' ? 'tags' : 'heads'}/${ref}`;
      return `Set ${full} of ${intent.repository} back to ${formerRevision} (git push --force <remote> ${formerRevision}:${full}), and make sure that nobody builds from it meanwhile`;
    }
    case 'close-exposure': {
      if (intent.exposure === 'public-repository')
        return `Make it private at ${page(intent.repository, 'settings')}, under Danger Zone; treat every secret in it as disclosed`;
      if (intent.exposure === 'secret-alert')
        return `Revoke the secret where it was issued, then resolve its alert at ${page(intent.repository, 'security/secret-scanning')}`;
      const what = intent.exposure === 'public-package' ? 'package' : 'artifact';
      const where = page(intent.repository, intent.exposure === 'public-package' ? 'packages' : 'actions');
      return `Keep a copy, then delete the ${what} ${intent.exposed ?? ''} at ${where}; treat every secret in it as disclosed`;
    }
    case 'rotate-secret':
      return `Rotate ${intent.secret} where it was issued and revoke its former value there, then store the new one at ${secretPage(intent, page)}`;
    case 'delete-secret':
      return `Delete ${intent.secret} at ${secretPage(intent, page)}; a copy stays valid until the secret is revoked where it was issued`;
    case 'block-user':
      return `Block ${intent.user} at ${page('organizations', intent.organization, 'settings/blocked_users')}; a member must be removed from the organisation instead`;
    default:
      return `${verbOf(intent)} (${describeTarget(intent)})`;
  }
}

type Page = (...parts: string[]) => string;

function wordsForPermission(intent: Extract<Intent, { action: 'restore-permission' }>, page: Page): string {
  switch (intent.grant) {
    case 'org-member':
      return `Make ${intent.user} ${intent.formerPermission} again at ${page('orgs', intent.organization, 'people')}`;
    case 'team-repository':
      return `Give team ${intent.team} ${intent.formerPermission} on ${intent.repository} again at ${page(intent.repository, 'settings/access')}`;
    case 'collaborator':
      return `Give ${intent.user} ${intent.formerPermission} on ${intent.repository} again at ${page(intent.repository, 'settings/access')}`;
    case 'team': {
      const where = page('orgs', intent.organization, 'teams', intent.team, 'edit');
      const { formerParent } = intent;
      return formerParent === undefined
        ? `Take the parent team of ${intent.team} away at ${where}`
        : `Make ${formerParent} the parent team of ${intent.team} again at ${where}`;
    }
  }
}

function secretPage(
  { organization, repository, environment }: Extract<Intent, { action: 'rotate-secret' | 'delete-secret' }>,
  page: Page,
): string {
  if (repository !== undefined)
    return page(repository, environment === undefined ? 'settings/secrets/actions' : 'settings/environments');
  return organization === undefined
    ? page('settings')
    : page('organizations', organization, 'settings/secrets/actions');
}
