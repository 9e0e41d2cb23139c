import { createHash } from 'node:crypto';
import type { EventData, EventType } from '@tripline/contracts/event';
import { github } from '@tripline/sources/github/source';
import { createWorkspaces } from '@tripline/sources/workspace';
import type { LoggedEventInput } from './play.ts';

/** A logged event, and the line that told it. */
export type LoggedEvent = LoggedEventInput & { id: string; time: string; line: number };
export type Json = Record<string, unknown>;
export const zeroRevision = '0'.repeat(40);
const organizationId = 77;

/**
 * Where a timeline plays: people, repositories, refs, changes and runs as GitHub would number them, and what was told of
 * them. Numbers are made of the first name that a thing had, so the same words give the same bodies.
 */
export type Stage = ReturnType<typeof createStage>;

export function createStage() {
  const workspaces = createWorkspaces({ workspaces: [], drills: true });
  const told: LoggedEvent[] = [];
  /** First names of things that have another now, by kind and name. */
  const formerNames = new Map<string, string>();
  const revisions = new Map<string, string>();
  const remembered = new Map<string, unknown>();
  let line = { number: 0, atMs: 0, heardMs: 0 };
  let ofLine = 0;

  const time = (ms: number = line.atMs) => new Date(ms).toISOString().replace('.000Z', 'Z');
  function id(kind: string, name: string): number {
    const first = formerNames.get(`${kind} ${name}`) ?? name;
    return Number.parseInt(createHash('sha256').update(`${kind} ${first}`).digest('hex').slice(0, 7), 16);
  }
  function user(login: string) {
    return { login, id: id('user', login), type: login.endsWith('[bot]') ? 'Bot' : 'User' };
  }
  function organization(login: string) {
    return { login, id: login === 'acme' ? organizationId : id('organization', login) };
  }
  function repository(fullName: string) {
    const [owner = '', name] = fullName.split('/');
    if (name === undefined) throw new Error(`${fullName} is no repository: owner/name`);
    const isPublic = remembered.get(`public ${fullName}`) === true;
    const defaultBranch = (remembered.get(`default branch ${fullName}`) as string | undefined) ?? 'main';
    const visible = { private: !isPublic, visibility: isPublic ? 'public' : 'private' };
    return {
      ...{ id: id('repository', fullName), name, full_name: fullName, ...visible },
      owner: { ...organization(owner), type: 'Organization' },
      html_url: `https://github.com/${fullName}`,
      ...{ default_branch: defaultBranch, fork: false, created_at: '2024-01-15T09:00:00Z', updated_at: time() },
      pushed_at: Math.floor(line.atMs / 1000),
    };
  }
  /** The hash of the commit that a timeline calls `name`; `nothing` is forty zeros. */
  function revision(name: string): string {
    if (name === 'nothing') return zeroRevision;
    const hash = /^[0-9a-f]{40}$/.test(name) ? name : createHash('sha1').update(`commit ${name}`).digest('hex');
    revisions.set(name, hash);
    return hash;
  }
  const nextId = () => {
    ofLine += 1;
    return `line-${line.number}${ofLine === 1 ? '' : `.${ofLine}`}`;
  };
  const add = (event: object, eventId: string) =>
    told.push({ ...event, id: eventId, atMs: line.heardMs, line: line.number } as LoggedEvent);

  return {
    told: told as readonly LoggedEvent[],
    /** What follows is told by this line. */
    begin(next: { number: number; atMs: number; heardMs: number }): void {
      line = next;
      ofLine = 0;
    },
    id,
    user,
    organization,
    repository,
    revision,
    time,
    /** From now on a thing has another name, and its number still. */
    rename(kind: 'user' | 'repository', from: string, to: string): void {
      formerNames.set(`${kind} ${to}`, formerNames.get(`${kind} ${from}`) ?? from);
      // Whoever takes the former name is somebody else.
      formerNames.set(`${kind} ${from}`, `${from} (again)`);
    },
    /** What a verb keeps for later lines. */
    keep(name: string, value: unknown): void {
      remembered.set(name, value);
    },
    kept<T>(name: string): T | undefined {
      return remembered.get(name) as T | undefined;
    },
    /**
     * A delivery of GitHub's of `event`, through its normaliser. `about`: the organisation, where no repository says it.
     * @throws {Error} when the normaliser takes no such body, so that a timeline never tells what GitHub would not.
     */
    github(
      event: string,
      sender: string,
      body: Json & { repository?: Json & { owner: { login: string } } },
      about = 'acme',
    ) {
      const owner = body.repository?.owner.login ?? about;
      const whole = { ...body, organization: organization(owner), sender: user(sender) };
      const rawBody = Buffer.from(JSON.stringify(whole));
      const bodySha256 = createHash('sha256').update(rawBody).digest('hex');
      const eventId = nextId();
      const headers = { 'x-github-event': event, 'x-github-delivery': eventId.replace('.', '-') };
      const delivery = {
        headers,
        rawBody,
        bodySha256,
        receivedAtMs: line.heardMs,
        secretScope: { kind: 'anybody' } as const,
      };
      const result = github.normalise(delivery, workspaces);
      if (!('event' in result)) throw new Error(`GitHub's ${event} is not taken: ${JSON.stringify(result)}`);
      add(result.event, eventId);
    },
    /** An event of another feed, as its normaliser would give it, or what Tripline itself says. */
    feed<T extends EventType>(
      type: T,
      data: EventData<T>,
      workspace = 'acme',
      source = `//github.com/${workspace}`,
    ): void {
      add({ type, data, workspace, time: time(), source }, nextId());
    },
    /** `text` with names in place of the hashes of commits. */
    named(text: string): string {
      let named = text;
      for (const [name, hash] of revisions) named = named.replaceAll(hash, name).replaceAll(hash.slice(0, 12), name);
      return named;
    },
  };
}
