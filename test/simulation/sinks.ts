import { type Answer, createWire, ok, type Request } from './wire.ts';
import type { World } from './world.ts';

export type SlackPost = { text: string; marked: boolean; thread: string | null; updates: number };
export type Sinks = ReturnType<typeof createSinks>;

/** Slack, PagerDuty and GitHub as far as Tripline calls them, each with what it was brought to do. */
export function createSinks(options: {
  world: World;
  /** Ids of invitations that nobody has cancelled yet. */
  invitations: readonly string[];
  /** Logins of those who may have been given a right to a repository, until it is taken back. */
  collaborators: readonly string[];
  /** Logins by id: nobody is renamed. */
  accounts: ReadonlyMap<string, string>;
  /** Ids of repositories by name, each of which everybody may see until it is made private. */
  repositories: ReadonlyMap<string, string>;
  /** How likely a request is to go wrong. */
  roughness: () => number;
}) {
  const { world, roughness } = options;
  const posts = new Map<string, SlackPost>();
  /** By dedup key: how often an alert was opened, and whether one is open. */
  const alerts = new Map<string, { opened: number; open: boolean }>();
  /** What was changed at GitHub, in order. */
  const changes: string[] = [];
  const gone = new Set<string>();

  function slack({ path, body }: Request): Answer {
    const form = new URLSearchParams(body);
    const text = form.get('text') ?? '';
    const known = form.get('ts');
    const ts = known ?? `1700000000.${String(posts.size + 1).padStart(6, '0')}`;
    const before = posts.get(ts);
    if (path.endsWith('chat.update') && before === undefined) return ok({ ok: false, error: 'message_not_found' });
    const marked = (form.get('blocks') ?? '').includes('ossibly');
    if (before) posts.set(ts, { ...before, text, updates: before.updates + 1 });
    else posts.set(ts, { text, marked, thread: form.get('thread_ts'), updates: 0 });
    return ok({ ok: true, channel: 'C1', ts });
  }

  function pagerDuty({ body }: Request): Answer {
    const { event_action: action, dedup_key: key } = JSON.parse(body) as { event_action: string; dedup_key: string };
    const alert = alerts.get(key) ?? { opened: 0, open: false };
    alerts.set(key, alert);
    if (action === 'trigger' && !alert.open) Object.assign(alert, { opened: alert.opened + 1, open: true });
    if (action === 'resolve') alert.open = false;
    return { status: 202, body: '{"status":"success"}' };
  }

  /** A GitHub on which what is deleted is gone, and what is cancelled is over. */
  function gitHub({ method, path }: Request): Answer {
    if (path.endsWith('/installation')) return ok({ id: 1 });
    if (path.endsWith('/access_tokens')) return { status: 201, body: '{"token":"ghs_simulated"}' };
    if (path === '/installation/token') return { status: 204, body: '' };
    const [, thing, verb] = /^(.*?)(\/(?:force-)?cancel)?$/.exec(path)!;
    if (method !== 'GET') {
      changes.push(`${method} ${path}`);
      gone.add(thing!);
      return verb === undefined ? { status: 204, body: '' } : { status: 202, body: '{}' };
    }
    if (path.endsWith('/invitations')) {
      return ok(options.invitations.filter((id) => !gone.has(`${path}/${id}`)).map((id) => ({ id: Number(id) })));
    }
    if (path.endsWith('/collaborators')) {
      return ok(options.collaborators.filter((login) => !gone.has(`${path}/${login}`)).map((login) => ({ login })));
    }
    const [, repository] = /^\/repos\/([^/]+\/[^/]+)$/.exec(path) ?? [];
    if (repository !== undefined) {
      const id = options.repositories.get(repository);
      return id === undefined ? notFound : ok({ id: Number(id), private: gone.has(path), default_branch: 'main' });
    }
    if (/\/actions\/workflows\/[^/]+$/.test(path)) {
      return ok({ id: 1, state: gone.has(`${path}/disable`) ? 'disabled_manually' : 'active' });
    }
    const [, account] = /^\/user\/(\d+)$/.exec(path) ?? [];
    if (account !== undefined) {
      const login = options.accounts.get(account);
      return login === undefined ? notFound : ok({ id: Number(account), login });
    }
    // Each has one token that is authorised, of the account's own number, until that is revoked.
    if (path.endsWith('/credential-authorizations')) {
      const those = [...options.accounts].filter(([id]) => !gone.has(`${path}/${id}`));
      return ok(those.map(([id, login]) => ({ login, credential_id: Number(id), credential_type: 'token' })));
    }
    if (path.includes('/actions/runs/')) {
      return ok(gone.has(path) ? { status: 'completed', conclusion: 'cancelled' } : { status: 'in_progress' });
    }
    if (gone.has(path)) return notFound;
    return ok({ id: 1 });
  }

  function answer(host: string, request: Request): Answer {
    if (host === 'slack.simulated') return slack(request);
    if (host === 'pagerduty.simulated') return pagerDuty(request);
    if (host === 'github.simulated') return gitHub(request);
    throw new Error(`nobody expects a request to ${host}`);
  }

  const fetchOf = createWire({ world, roughness, answer });
  return { fetchOf, posts, alerts, changes };
}

const notFound: Answer = { status: 404, body: '{"message":"Not Found"}' };
