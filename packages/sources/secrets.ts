/**
 * For which organisations and workspaces a secret is valid. No secret serves two feeds: the secret of GitHub's webhook
 * can neither open break-glass nor sign a drill.
 */
export type SecretScope =
  /** Any organisation but a drill's: the one secret of a quick start, and the App's while no workspace is configured. */
  | { kind: 'anybody' }
  /**
   * The organisations of these workspaces. A delivery that names none belongs to the workspace when there is just one.
   */
  | {
      kind: 'workspaces';
      ids: readonly string[];
      /** Whether it also signs deliveries of organisations that are not configured, as an App’s does wherever it is installed. */
      beyond: boolean;
    }
  /** Workspaces of drills. */
  | { kind: 'drills' }
  /** Break-glass records of these workspaces. */
  | { kind: 'break-glass'; ids: readonly string[] };

/** A secret of a feed; each value occurs once in the feed's list. */
export type FeedSecret = { secret: string; secretScope: SecretScope };

/** The settings from which secrets are read. */
export type SecretSettings = {
  github: {
    webhookSecrets?: readonly string[] | undefined;
    app?: { webhookSecrets?: readonly string[] | undefined } | undefined;
  };
  workspaces: readonly {
    id: string;
    breakGlassKeys?: readonly string[] | undefined;
    github: { webhookSecrets?: readonly string[] | undefined };
  }[];
  drills: boolean;
  drillKey?: string | undefined;
};

/**
 * The secrets of GitHub's webhooks. `github.webhookSecrets` are valid for any organisation while no workspace has
 * secrets of its own; from then on for the workspaces that have none. `github.app.webhookSecrets` are valid for all
 * workspaces. A secret in several places, as while it is being moved, is valid for all of them.
 */
export function githubSecrets({ github, workspaces, drills, drillKey }: SecretSettings): FeedSecret[] {
  const own = workspaces.filter((workspace) => workspace.github.webhookSecrets !== undefined);
  const rest = workspaces.filter((workspace) => workspace.github.webhookSecrets === undefined).map(({ id }) => id);
  const secrets = new Map<string, SecretScope>();
  const add = (secret: string, secretScope: SecretScope) => secrets.set(secret, both(secrets.get(secret), secretScope));
  for (const secret of github.webhookSecrets ?? []) {
    add(secret, own.length === 0 ? { kind: 'anybody' } : { kind: 'workspaces', ids: rest, beyond: false });
  }
  const all = workspaces.map(({ id }) => id);
  for (const secret of github.app?.webhookSecrets ?? []) {
    add(secret, all.length === 0 ? { kind: 'anybody' } : { kind: 'workspaces', ids: all, beyond: true });
  }
  for (const { id, github: of } of own) {
    for (const secret of of.webhookSecrets!) add(secret, { kind: 'workspaces', ids: [id], beyond: false });
  }
  const list = [...secrets].map(([secret, secretScope]) => ({ secret, secretScope }));
  return [...list, ...drillSecrets(drills, drillKey)];
}

/** The secrets of `POST /webhooks/tripline`: the drill key, and each workspace's keys for break-glass. */
export function triplineSecrets({ workspaces, drills, drillKey }: SecretSettings): FeedSecret[] {
  const byKey = new Map<string, string[]>();
  for (const { id, breakGlassKeys = [] } of workspaces) {
    for (const key of breakGlassKeys) byKey.set(key, [...(byKey.get(key) ?? []), id]);
  }
  const list = [...byKey].map(([secret, ids]): FeedSecret => ({ secret, secretScope: { kind: 'break-glass', ids } }));
  return [...list, ...drillSecrets(drills, drillKey)];
}

function drillSecrets(drills: boolean, drillKey: string | undefined): FeedSecret[] {
  return drills && drillKey !== undefined ? [{ secret: drillKey, secretScope: { kind: 'drills' } }] : [];
}

function both(a: SecretScope | undefined, b: SecretScope): SecretScope {
  if (a === undefined) return b;
  if (a.kind !== 'workspaces' || b.kind !== 'workspaces') return { kind: 'anybody' };
  return { kind: 'workspaces', ids: [...new Set([...a.ids, ...b.ids])], beyond: a.beyond || b.beyond };
}
