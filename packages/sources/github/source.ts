import type { Attributes } from '@tripline/contracts/attributes';
import { eventTypes, type TriplineEvent } from '@tripline/contracts/event';
import { parseJsonObject } from '../json.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { githubSecrets, type SecretSettings } from '../secrets.ts';
import {
  type Delivery,
  headerOf,
  type Ignored,
  type IgnoredReason,
  type Normalised,
  type RequestHeaders,
  type Source,
} from '../source.ts';
import { identifier, loginText, text, utc } from '../untrusted.ts';
import type { NamedOwner, Workspaces } from '../workspace.ts';
import { type Around, canBeRepository, fit, repositoryName } from './body.ts';
import { checkGithubFeed } from './doctor.ts';
import { factOf } from './fact.ts';
import type { Draft, EventDraft } from './family.ts';
import { keysFit, readEvents, unreadEvents } from './registry.ts';
import { verifyGithub } from './verify.ts';

/** GitHub's webhooks, of a repository, an organisation or an App. */
export const github: Source<SecretSettings & { dataDir: string }> = {
  name: 'github',
  routes: ['/webhooks/github'],
  encodings: [],
  secrets: githubSecrets,
  faultOf: (settings) =>
    githubSecrets(settings).every(({ secretScope }) => secretScope.kind === 'drills')
      ? 'a webhook secret is needed to verify deliveries: github.webhookSecrets (TRIPLINE_GITHUB_WEBHOOK_SECRET) or workspaces[].github.webhookSecrets'
      : undefined,
  doctor: checkGithubFeed,
  contentTypes: ['application/json'],
  contentTypeAdvice: 'set the webhook’s content type to application/json',
  verify: verifyGithub,
  normalise,
  claimsOf: (headers) => ({
    delivery: deliveryIdOf(headers),
    event: text(headerOf(headers, 'x-github-event'), 100),
  }),
};

function deliveryIdOf(headers: RequestHeaders): string | undefined {
  const id = headerOf(headers, 'x-github-delivery');
  return id !== undefined && /^[A-Za-z0-9-]{1,100}$/.test(id) ? id : undefined;
}

function normalise(delivery: Delivery, workspaces: Workspaces): Normalised {
  const { headers, rawBody } = delivery;
  const name = headerOf(headers, 'x-github-event');
  if (name === undefined) {
    return { refusal: refuse(400, 'missing-event-header', 'X-GitHub-Event is missing or was sent twice') };
  }
  for (const [header, provider] of lookalikes) if (headers[header] !== undefined) return { refusal: isNot(provider) };
  const id = deliveryIdOf(headers);
  if (id === undefined) {
    return { refusal: refuse(400, 'bad-delivery-id', 'X-GitHub-Delivery is missing or is no delivery id') };
  }
  const parsed = parseJsonObject(rawBody);
  if ('refusal' in parsed) return parsed;

  const event = readEvents.get(name);
  if (!event) return ignore(reasonNotToRead(name, parsed.body), whoseBody(parsed.body), rawBody);
  const body = keysFit(parsed.body, event) ? fit(event.schema, parsed.body) : undefined;
  if (body === undefined) return ignore('unexpected-shape', whoseBody(parsed.body), rawBody);
  if (body.repository && !canBeRepository(body.repository.full_name)) return ignore('impossible-name', body, rawBody);

  const owner = ownerOf(body);
  const whose = workspaces.whose(delivery.secretScope, ownersIn(body));
  if ('refusal' in whose) return whose;
  if ('ignored' in whose) return ignore(whose.ignored, body);
  const told = event.normalise(body as never, { atMs: delivery.receivedAtMs });
  if (told === undefined) return ignore('action-not-read', body);
  if (typeof told === 'string') return ignore(told, body, rawBody);
  const data = whole(told, body, owner);
  if (data === undefined) return ignore('incomplete', body, rawBody);
  const login = loginText(owner?.login);
  const toldAt = utc(told.time);
  const time = toldAt ?? new Date(delivery.receivedAtMs).toISOString();
  if (toldAt === undefined) Object.assign(data, { 'tripline.time.received': true } satisfies Attributes);
  Object.assign(data, factOf(name, told.type, data, time));
  return {
    event: {
      id: `github:${id}`,
      source: login === undefined ? '//github.com' : `//github.com/${encodeURIComponent(login)}`,
      type: told.type,
      time,
      workspace: whose.workspace,
      trust: 'high',
      bodySha256: delivery.bodySha256,
      data,
    } as TriplineEvent,
  };
}

/** Services that send GitHub's headers beside their own, with signatures of the same form. */
const lookalikes = [
  ['x-forgejo-event', 'Forgejo'],
  ['x-gitea-event', 'Gitea'],
  ['x-gogs-event', 'Gogs'],
] as const;

function isNot(provider: string): Refusal {
  const message = `This is a delivery of ${provider}, which Tripline does not read yet; only GitHub’s are taken here`;
  return refuse(400, 'other-provider', message);
}

/** Why a delivery of an event without a normaliser is ignored. */
function reasonNotToRead(name: string, body: Record<string, unknown>): IgnoredReason {
  const marks = unreadEvents.get(name);
  if (marks === undefined) return 'unknown-event';
  if (!marks.every((key) => Object.hasOwn(body, key))) return 'unexpected-shape';
  return name === 'ping' ? 'ping' : 'event-not-read';
}

/**
 * `named`: the owner according to the body, read by its schema or, where it has none, as far as possible. `rawBody`: where the
 * reason may be that it cannot be read.
 */
function ignore(ignored: IgnoredReason, named: Parameters<typeof ownerOf>[0], rawBody?: Buffer): Ignored {
  const organization = loginText(ownerOf(named)?.login);
  return {
    ignored,
    ...(organization !== undefined && { organization }),
    ...(rawBody !== undefined && cannotBeRead.has(ignored) && { unread: { content: rawBody } }),
  };
}

const cannotBeRead: ReadonlySet<IgnoredReason> = new Set(['unexpected-shape', 'impossible-name', 'incomplete']);

/** The owner according to a body of any form. */
function whoseBody(body: Record<string, unknown>): Parameters<typeof ownerOf>[0] {
  const within = (holder: unknown, name: string): unknown =>
    typeof holder === 'object' && holder !== null && Object.hasOwn(holder, name)
      ? (holder as Record<string, unknown>)[name]
      : undefined;
  const named = (holder: unknown): Owner => {
    const login = within(holder, 'login');
    return typeof login === 'string' ? { login } : undefined;
  };
  return {
    organization: named(within(body, 'organization')),
    repository: { owner: named(within(within(body, 'repository'), 'owner')) },
    installation: { account: named(within(within(body, 'installation'), 'account')) },
  };
}

type Owner = Around['organization'];

/** The organisation that a body is about, or the user who owns what it is about. */
function ownerOf(body: {
  organization?: Owner;
  repository?: { owner?: Owner } | null | undefined;
  installation?: { account?: Owner } | null | undefined;
}): Owner {
  if (body.organization?.login) return body.organization;
  return body.repository?.owner?.login ? body.repository.owner : body.installation?.account;
}

/**
 * Every organisation that the body names, the deciding one first. All of them count: a response names the repository's
 * owner too, so a secret must be valid for both.
 */
function ownersIn(body: Around): NamedOwner[] {
  const { organization, repository, installation } = body;
  const owners: NamedOwner[] = [];
  const add = (login: string | undefined, id?: string) => {
    if (!login) return;
    const isThere = (one: NamedOwner) => (id === undefined || one.id === id) && isSame(one.login, login);
    if (!owners.some(isThere)) owners.push({ login, id });
  };
  for (const one of [organization, repository?.owner, installation?.account]) {
    add(loginText(one?.login), identifier(one?.id));
  }
  if (repository) add(loginText(repository.full_name.slice(0, repository.full_name.indexOf('/'))));
  return owners;
}

const isSame = (a: string, b: string): boolean => a === b || a.toLowerCase() === b.toLowerCase();

/** All attributes that were sent, or undefined when a required one is missing. */
function whole(told: EventDraft, body: Around, owner: Owner): Attributes | undefined {
  const data: Record<string, unknown> = {};
  for (const part of [surroundings(body, owner), told.data]) {
    for (const name in part) {
      const value = part[name as keyof Draft];
      if (value !== undefined) data[name] = value;
    }
  }
  return eventTypes[told.type].every((name) => data[name] !== undefined) ? (data as Attributes) : undefined;
}

/**
 * The host of the GitHub instance, from a URL in the signed body; undefined for github.com itself, and for an invalid
 * host.
 */
function instanceOf(url: string | null | undefined): string | undefined {
  if (url == null || url.startsWith('https://github.com/')) return undefined;
  return /^https:\/\/([a-z0-9][a-z0-9.-]{0,250})\//i.exec(url)?.[1]?.toLowerCase();
}

const visibilities = new Set(['public', 'private', 'internal']);

function surroundings({ sender, repository }: Around, owner: Owner): Draft {
  const visibility = repository?.visibility ?? (repository?.private ? 'private' : 'public');
  return {
    'user.id': identifier(sender?.id),
    'user.name': loginText(sender?.login),
    'user.type': text(sender?.type),
    'vcs.provider.name': 'github',
    'tripline.provider.instance': instanceOf(repository?.html_url ?? sender?.html_url),
    'vcs.owner.name': loginText(owner?.login),
    'vcs.owner.id': identifier(owner?.id),
    'vcs.repository.name': repositoryName(repository?.full_name),
    'vcs.repository.id': identifier(repository?.id),
    'vcs.repository.url.full': text(repository?.html_url),
    'tripline.repository.visibility': repository && visibilities.has(visibility) ? (visibility as 'public') : undefined,
    'tripline.repository.default_branch': text(repository?.default_branch),
  };
}
