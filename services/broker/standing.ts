import { createHash } from 'node:crypto';
import { coveredBy } from '@tripline/access/covered';
import { sharedByTiers } from '@tripline/access/isolation';
import { idleMs, type Standing, type StandingLook } from '@tripline/access/standing';
import type { Attributes } from '@tripline/contracts/attributes';
import { clip } from '@tripline/contracts/text';
import { instanceOf } from '@tripline/integrations/github/instance';
import {
  CannotReadError,
  type GitHubAccess,
  installedOn,
  mayRead,
  permittedOf,
  withReader,
} from '@tripline/integrations/github/reader';
import { readStanding, standingPermissions } from '@tripline/integrations/github/standing/read';
import { createOutbound } from '@tripline/integrations/outbound';
import { redactText, redactValue } from '@tripline/runtime/redact';
import { createSignal } from '@tripline/runtime/signal';
import { createWorkspaces } from '@tripline/sources/workspace';
import { brokerEvent } from './append-events.ts';
import { againMs, appendThenNote, type Telling, type TellingParts } from './append-then-note.ts';
import { placesElsewhere, type StandingPlace } from './standing-elsewhere.ts';
import {
  claimLook,
  finishLook,
  forgetFormer,
  forgetPlaces,
  noteTold,
  readEnvironments,
  readFormer,
  readTold,
  type ToldStanding,
} from './store/standing.ts';

const [hourMs, dayMs] = [3_600_000, 86_400_000];
/** A place that nobody looked at for so long is one of settings that were, ms. */
const formerMs = 2 * dayMs;
/** The detector has forgotten by then what was told of it. */
const forgottenMs = 60 * dayMs;

export type StandingParts = TellingParts & {
  fetch?: typeof globalThis.fetch | undefined;
  /** Once it is, nothing more is read. */
  closed?: AbortSignal | undefined;
};

/**
 * Looks once a day at what stands in each organisation, and elsewhere, and tells the log of what is new, other, or gone. Of several
 * brokers one looks; a look that fails is tried again within the hour. Nothing where no App and no token is there to read with.
 */
export function startStandingLooks(parts: StandingParts): { close: () => Promise<void> } {
  if (!mayRead(parts.config.github)) return { close: async () => {} };
  const closing = new AbortController();
  const never = createSignal();
  const abortable = { ...parts, fetch: untilClosed(parts, closing.signal), closed: closing.signal };
  const running = (async () => {
    while (!closing.signal.aborted) {
      try {
        for (const place of await placesOf(abortable)) {
          if (!closing.signal.aborted) await lookIfDue(abortable, place);
        }
      } catch (error) {
        if (!closing.signal.aborted)
          parts.logger.error({ err: error }, 'looking at what stands failed; retrying within the hour');
      }
      await never.wait(hourMs / 4, closing.signal);
    }
  })();
  return {
    async close() {
      closing.abort();
      await running;
    },
  };
}

/** A look takes minutes: once we stop, it reads no more. What it gives back at GitHub is sent all the same. */
function untilClosed(
  { config, fetch: send = createOutbound(config.github.apiUrl) }: StandingParts,
  closed: AbortSignal,
): typeof send {
  return (url, init) => {
    const isRead = (init?.method ?? 'GET') === 'GET';
    const signals = [closed, ...(init?.signal ? [init.signal] : [])];
    return send(url, isRead ? { ...init, signal: AbortSignal.any(signals) } : init);
  };
}

/** Organisations that are configured or, with an App and none configured, on which it is installed, as an import has them; and what is elsewhere. */
async function placesOf(parts: StandingParts): Promise<StandingPlace[]> {
  const { config, clock, fetch, closed } = parts;
  const configured = config.workspaces.flatMap(({ github }) => github.organizations.map(({ login }) => login));
  const all = configured.length > 0 ? configured : await installedOn({ ...config.github, fetch }, clock.nowMs());
  const organizations = all.map((login) => login.toLowerCase());
  const ofGithub = organizations.flatMap((one) => githubPlace(parts, one) ?? []);
  const { policy } = config.broker;
  // What is elsewhere bears no organisation's name: it is told to whose policies are in force.
  const whose = policy !== undefined && 'repository' in policy ? policy.repository.split('/')[0]! : organizations[0];
  const workspace = whose === undefined ? undefined : createWorkspaces(config).of(whose);
  return workspace === undefined
    ? ofGithub
    : [...ofGithub, ...placesElsewhere(config.broker, { clock, workspace, closed })];
}

/** Undefined where no workspace has the organisation. */
export function githubPlace(parts: StandingParts, organization: string): StandingPlace | undefined {
  const workspace = createWorkspaces(parts.config).of(organization);
  if (workspace === undefined) return undefined;
  return { name: organization, workspace, read: () => read(parts, organization) };
}

/** One look, where the last began a day ago. @returns whether there was one. */
export async function lookIfDue(parts: StandingParts, place: StandingPlace): Promise<boolean> {
  const { config, db, clock, logger } = parts;
  const { name, workspace } = place;
  const nowMs = clock.nowMs();
  // Policies that are configured and cannot be read now would count as giving nothing, and findings would be taken back.
  if (config.broker.policy !== undefined && 'fault' in parts.policies()) return false;
  const claim = { organization: name, workspace, now: new Date(nowMs), before: new Date(nowMs - dayMs) };
  if (!(await claimLook(db, claim))) return false;
  try {
    const look = await place.read();
    const told = await tell(parts, place, look);
    await forgetPlaces(db, new Date(nowMs - forgottenMs));
    await finishLook(db, name, { wholeAt: new Date(clock.nowMs()) });
    const unread = look.gaps.map(({ what }) => what);
    logger.info({ place: name, things: look.rows.length, told, unread }, 'looked at what stands');
  } catch (error) {
    const fault = redactText(error instanceof Error ? error.message : String(error)).slice(0, 300) || 'unknown';
    await finishLook(db, name, { fault, lookedAt: new Date(nowMs - dayMs + hourMs) });
    if (!(error instanceof CannotReadError)) throw error;
    logger.error(
      { place: name, reason: error.outcome.reason },
      `looking at what stands failed: ${fault}; retrying in an hour`,
    );
  }
  return true;
}

async function read({ config, clock, logger, fetch }: StandingParts, organization: string): Promise<StandingLook> {
  const access: GitHubAccess = { ...config.github, fetch };
  const permissions = await permittedOf(access, organization, standingPermissions, clock.nowMs());
  const onLeftAlive = (reason: string) =>
    logger.error({ reason }, 'revoking a read-only token failed; it expires within an hour');
  const options = { nowMs: clock.nowMs, onLeftAlive };
  return withReader(access, { owner: organization, permissions }, options, (client) =>
    readStanding(client, organization),
  );
}

/** Tells the log of what it does not know. What may merely not have been read is not gone. @returns number of events. */
async function tell(
  parts: StandingParts,
  { name: organization, workspace, isElsewhere }: StandingPlace,
  { rows, gaps, covers = [] }: StandingLook,
): Promise<number> {
  const { db, clock, append, config } = parts;
  const nowMs = clock.nowMs();
  const before = await readTold(db, organization);
  const of = { organization, workspace, before: new Date(nowMs - formerMs) };
  const former = isElsewhere ? await readFormer(db, { ...of, covers }) : [];
  const current = parts.policies();
  const version = 'fault' in current ? undefined : current;
  // Environments lie at GitHub, whatever of theirs reaches elsewhere; what an organisation has reaches its own alone.
  const environments = isElsewhere ? await readEnvironments(db, workspace) : [];
  const all = [...rows, ...environments];
  const shared = new Map(sharedByTiers(all, version?.file.tiers ?? {}).map(({ row, tiers }) => [row.id, tiers]));
  const about = (row: Standing) => ({
    ...attributesOf(row, instanceOf(config.github.apiUrl)),
    ...optional(
      'tripline.standing.covered_by',
      version === undefined ? undefined : coveredBy(row, version, organization),
    ),
    ...optional('tripline.standing.tiers', shared.get(row.id)),
  });
  const events: Telling<ToldStanding, string>[] = [];
  const event = (id: string, sha256: string, data: Attributes) => {
    const day = new Date(nowMs).toISOString().slice(0, 10);
    const named = {
      id: `standing:${organization}:${id}:${sha256.slice(0, 16)}:${day}`.slice(0, 500),
      workspace,
      atMs: nowMs,
    };
    return brokerEvent('dev.cdeventsx.tripline-standing.observed', named, redactValue(data));
  };
  for (const row of rows) {
    const data = about(row);
    const known = before.get(row.id);
    const sha256 = hashOf({ ...withoutUse(data), isIdle: isIdle(data, nowMs) });
    if (known?.sha256 === sha256 && nowMs - known.toldAt.getTime() < againMs) continue;
    events.push({ told: { id: row.id, row, sha256, toldAt: new Date(nowMs) }, event: event(row.id, sha256, data) });
  }
  const present = new Set(rows.map(({ id }) => id));
  const unread = new Set(gaps.flatMap(({ kinds }) => kinds));
  const once = new Map([...former.map((one) => [one.id, one] as const), ...before]);
  for (const { id, row, sha256 } of once.values()) {
    if (present.has(id) || unread.has(row.kind)) continue;
    const data = { ...attributesOf(row, instanceOf(config.github.apiUrl)), 'tripline.standing.gone': true as const };
    events.push({ gone: id, event: event(id, hashOf({ gone: sha256 }), data) });
  }
  await appendThenNote(events, append, (told) => noteTold(db, organization, told));
  const settled = former.filter(({ row, id }) => present.has(id) || !unread.has(row.kind));
  await forgetFormer(db, { ...of, ids: settled.map(({ id }) => id) });
  return events.length;
}

const repositoryIdOf = (id: string): string | undefined => /^(?:deploy-key|secret|environment)\/(\d+)\//.exec(id)?.[1];

/** What an event tells of a row. */
function attributesOf(row: Standing, instance: string): Attributes {
  const [repository] = row.repositories === 'all' || row.repositories.length !== 1 ? [] : row.repositories;
  const used = row.lastUse === 'never' ? row.createdAt : row.lastUse === 'unknown' ? null : row.lastUse.at;
  const repositoryId = repositoryIdOf(row.id);
  return {
    ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': instance },
    ...{ 'tripline.standing.kind': row.kind, 'tripline.standing.id': clip(row.id, 500) },
    'tripline.standing.name': clip(row.name, 500),
    'tripline.standing.scopes': row.scope.slice(0, 50).map((one) => clip(one, 200)),
    ...optional('tripline.standing.owner', row.owner ?? undefined),
    ...optional('tripline.standing.created_at', row.createdAt ?? undefined),
    ...optional('tripline.standing.last_used_at', typeof row.lastUse === 'string' ? undefined : dayOf(row.lastUse.at)),
    ...optional('tripline.standing.idle_since', used === null ? undefined : dayOf(used)),
    ...optional('vcs.repository.name', repository),
    ...optional('vcs.repository.id', repository === undefined ? undefined : repositoryId),
  };
}

const optional = <Name extends keyof Attributes>(name: Name, value: Attributes[Name] | undefined) =>
  (value === undefined ? {} : { [name]: value }) as Pick<Attributes, Name>;
const dayOf = (time: string) => `${time.slice(0, 10)}T00:00:00.000Z`;
const hashOf = (data: object) => createHash('sha256').update(JSON.stringify(data)).digest('hex');
/** That something is in daily use is nothing new; that it is unused is said on the day on which it becomes so, and when it is used again. */
const withoutUse = ({
  'tripline.standing.idle_since': _idle,
  'tripline.standing.last_used_at': _used,
  ...rest
}: Attributes): Attributes => rest;
const isIdle = (data: Attributes, nowMs: number) => {
  const since = data['tripline.standing.idle_since'];
  return since !== undefined && nowMs - Date.parse(since) >= idleMs;
};
