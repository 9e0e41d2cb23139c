import { drillPrefix } from '@tripline/contracts/drill';
import { type Refusal, refuse } from './refusal.ts';
import type { SecretScope } from './secrets.ts';

/**
 * Which workspace a delivery belongs to: the configured one of its organisation or, when no workspaces are configured,
 * the organisation itself.
 *
 * An organisation is identified by its id. Settings and the first delivery name it by login: the first verified
 * delivery pins the login to the id, so that a renamed organisation stays the same workspace and whoever takes its old
 * name is another.
 */
export type Workspaces = {
  /**
   * The workspace of a delivery that names `owners` (the organisation first), signed with a secret that is valid for
   * `secretScope`. A secret that is valid for others is refused; an organisation that nobody configured is ignored.
   */
  whose: (secretScope: SecretScope, owners: readonly NamedOwner[]) => Whose;
  /**
   * Workspace of an organisation by its login alone, for requests that Tripline makes itself; undefined when it has
   * none.
   */
  of: (organization: string) => string | undefined;
  /** The workspace to which the records of an enterprise itself belong, by its short name; undefined where none is configured. */
  ofEnterprise: (enterprise: string) => string | undefined;
  /** Whether this workspace is a drill's, and drills are on. */
  isDrill: (workspace: string) => boolean;
};

/** An organisation, or the user who owns a repository, as a body names it. */
export type NamedOwner = { login: string; id: string | undefined };

export type Whose =
  | { workspace: string }
  | { ignored: 'no-workspace' | 'unknown-organization' | 'unknown-installation' }
  | { refusal: Refusal };

/** An organisation whose id is known. */
export type PinnedOrganization = { id: string; login: string; workspace: string };

/** Valid workspace names; logins of organisations in lower case are valid, with dots and hyphens. */
const workspacePattern = /^(?!\.{1,2}$)[a-z0-9._-]{1,100}$/;

/** Beyond this number, organisations are distinguished by login alone. */
const maxPinned = 10_000;

/**
 * @param pinned organisations whose ids were pinned before.
 * @param pin is called with each organisation at the delivery that pins its id. Without it nothing is pinned, and only
 *   configured ids are known.
 */
export function createWorkspaces(
  config: {
    workspaces: readonly {
      id: string;
      github: { organizations: readonly { login: string; id?: string | undefined }[] };
      'github-audit'?: { enterprises?: readonly string[] | undefined } | undefined;
    }[];
    drills: boolean;
  },
  { pinned = [], pin }: { pinned?: readonly PinnedOrganization[]; pin?: (one: PinnedOrganization) => void } = {},
): Workspaces {
  const byLogin = new Map<string, string>();
  const byId = new Map<string, string>();
  /** The id to which a login is pinned, in lower case. */
  const idOf = new Map<string, string>();
  const byEnterprise = new Map<string, string>();
  for (const { id: workspace, github, 'github-audit': audit } of config.workspaces) {
    for (const enterprise of audit?.enterprises ?? []) byEnterprise.set(enterprise.toLowerCase(), workspace);
    for (const { login, id } of github.organizations) {
      byLogin.set(login.toLowerCase(), workspace);
      if (id === undefined) continue;
      byId.set(id, workspace);
      idOf.set(login.toLowerCase(), id);
    }
  }
  const isConfigured = byLogin.size > 0;
  for (const { id, login, workspace } of pinned) {
    const key = login.toLowerCase();
    // The present configuration counts, not that of the time of pinning.
    const home = isConfigured ? byLogin.get(key) : workspace;
    if (home === undefined || byId.has(id) || idOf.has(key)) continue;
    byId.set(id, home);
    idOf.set(key, id);
  }

  const isDrill = (workspace: string) =>
    config.drills && workspace.startsWith(drillPrefix) && workspacePattern.test(workspace);
  const of = (organization: string) => {
    const login = organization.toLowerCase();
    // A drill's name never belongs to a real organisation: with drills off it has no workspace, configured or not.
    if (login.startsWith(drillPrefix)) return isDrill(login) ? login : undefined;
    if (isConfigured) return byLogin.get(login);
    return workspacePattern.test(login) ? login : undefined;
  };

  /** The workspace of an organisation: by its id where that is known, else by a login that is pinned to no other id. */
  function homeOf({ login, id }: NamedOwner): string | undefined {
    const known = id === undefined ? undefined : byId.get(id);
    if (known !== undefined) return known;
    const key = login.toLowerCase();
    // With nothing configured, an organisation that took over a freed name gets the workspace of that name.
    if (isConfigured && id !== undefined && idOf.has(key)) return undefined;
    return of(login);
  }

  function learn({ login, id }: NamedOwner, workspace: string): void {
    const key = login.toLowerCase();
    if (!pin || id === undefined || byId.has(id) || idOf.has(key) || byId.size >= maxPinned) return;
    byId.set(id, workspace);
    idOf.set(key, id);
    pin({ id, login: key, workspace });
  }

  /** Whether each organisation of these workspaces is known by id, so that another id is another organisation. */
  const allKnown = (ids: readonly string[]) =>
    config.workspaces.every(
      (workspace) =>
        !ids.includes(workspace.id) ||
        workspace.github.organizations.every(({ login }) => idOf.has(login.toLowerCase())),
    );

  function whoseOfAnybody(owners: readonly NamedOwner[]): Whose {
    const owner = owners[0];
    if (owner === undefined) return { ignored: 'no-workspace' };
    if (owners.some(({ login }) => login.toLowerCase().startsWith(drillPrefix))) return drillsOwn;
    const workspace = homeOf(owner);
    if (workspace === undefined) return { ignored: 'unknown-organization' };
    learn(owner, workspace);
    return { workspace };
  }

  function whoseOfWorkspaces(ids: readonly string[], beyond: boolean, owners: readonly NamedOwner[]): Whose {
    if (owners.length === 0) return ids.length === 1 ? { workspace: ids[0]! } : { ignored: 'no-workspace' };
    let workspace: string | undefined;
    let isUnknown = false;
    for (const owner of owners) {
      const home = homeOf(owner);
      if (home === undefined) {
        // Another name or id than the configured ones: a renamed organisation, or somebody else's.
        if (!beyond && owner.id !== undefined && allKnown(ids)) return anothers;
        isUnknown = true;
      } else if (!ids.includes(home) || (workspace !== undefined && workspace !== home)) return anothers;
      else workspace = home;
    }
    // Outsiders can install an App: deliveries of their organisation are no error of the configuration.
    if (isUnknown) return { ignored: beyond ? 'unknown-installation' : 'unknown-organization' };
    learn(owners[0]!, workspace!);
    return { workspace: workspace! };
  }

  function whoseOfDrill(owners: readonly NamedOwner[]): Whose {
    const logins = new Set(owners.map(({ login }) => login.toLowerCase()));
    const [login] = logins;
    return logins.size === 1 && isDrill(login!) ? { workspace: login! } : drillsOnly;
  }

  return {
    whose(secretScope, owners) {
      if (secretScope.kind === 'anybody') return whoseOfAnybody(owners);
      if (secretScope.kind === 'workspaces') return whoseOfWorkspaces(secretScope.ids, secretScope.beyond, owners);
      return secretScope.kind === 'drills' ? whoseOfDrill(owners) : anothers;
    },
    of,
    ofEnterprise: (enterprise) => byEnterprise.get(enterprise.toLowerCase()),
    isDrill,
  };
}

const anothers: Whose = {
  refusal: refuse(
    401,
    'wrong-organization',
    'The secret that signed this is not valid for the organisation that it names; give that organisation’s webhook the secret of its own workspace',
  ),
};
const drillsOwn: Whose = {
  refusal: refuse(401, 'wrong-organization', 'A drill is signed with the drill key, never with a webhook secret'),
};
const drillsOnly: Whose = {
  refusal: refuse(401, 'wrong-organization', `The drill key is valid for ${drillPrefix}… alone`),
};
