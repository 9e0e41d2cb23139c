/**
 * Which workspace a delivery belongs to: what the organisation is configured to be, or, when no workspaces are
 * configured, the organisation itself.
 */
export type Workspaces = {
  /** Workspace of an organisation (or of the user who owns a repository); undefined when it is none of ours. */
  of: (organization: string) => string | undefined;
  /** Whether this workspace is one of ours, for feeds that name the workspace itself. */
  knows: (workspace: string) => boolean;
  /** Whether this workspace is a drill's, and drills are on. */
  isDrill: (workspace: string) => boolean;
};

/** Organisations whose name begins so are played by `tripline attack`; none of them is real. */
export const drillPrefix = 'tripline-drill-';

/** What may be a workspace's name; organisations' logins fit it once they are in lower case, dots and hyphens included. */
export const workspacePattern = /^(?!\.{1,2}$)[a-z0-9._-]{1,100}$/;

export function createWorkspaces(config: {
  workspaces: readonly { id: string; github: { organizations: readonly string[] } }[];
  drills: boolean;
}): Workspaces {
  const byOrganization = new Map<string, string>();
  for (const workspace of config.workspaces) {
    for (const organization of workspace.github.organizations) {
      byOrganization.set(organization.toLowerCase(), workspace.id);
    }
  }
  const configured = new Set(byOrganization.values());

  const isDrill = (workspace: string) =>
    config.drills && workspace.startsWith(drillPrefix) && workspacePattern.test(workspace);
  const knows = (workspace: string) => {
    // A drill's name is never a real organisation's: with drills off it is nobody's, configured workspaces or not.
    if (workspace.startsWith(drillPrefix)) return isDrill(workspace);
    return configured.size > 0 ? configured.has(workspace) : workspacePattern.test(workspace);
  };
  return {
    of(organization) {
      const login = organization.toLowerCase();
      if (login.startsWith(drillPrefix)) return isDrill(login) ? login : undefined;
      if (configured.size > 0) return byOrganization.get(login);
      return workspacePattern.test(login) ? login : undefined;
    },
    knows,
    isDrill,
  };
}
