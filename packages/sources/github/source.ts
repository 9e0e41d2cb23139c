import type { Attributes } from '@tripline/contracts/attributes';
import { eventTypes, type TriplineEvent } from '@tripline/contracts/event';
import { type Delivery, headerOf, type Normalised, refuse, type Source } from '../contract.ts';
import { parseJsonObject } from '../json.ts';
import { identifier, text, utc } from '../untrusted.ts';
import type { Workspaces } from '../workspace.ts';
import type { Around } from './body.ts';
import type { Draft, Told } from './family.ts';
import { keysFit, readEvents, unreadEvents } from './registry.ts';
import { verifyGithub } from './verify.ts';

/** GitHub's webhooks, of a repository, an organisation or an App. */
export const github: Source = {
  name: 'github',
  contentTypes: ['application/json'],
  contentTypeAdvice: 'set the webhook’s content type to application/json',
  verify: verifyGithub,
  normalise,
};

function normalise(delivery: Delivery, workspaces: Workspaces): Normalised {
  const name = headerOf(delivery.headers, 'x-github-event');
  if (name === undefined) {
    return { refusal: refuse(400, 'missing-event-header', 'X-GitHub-Event is missing or was sent twice') };
  }
  const event = readEvents.get(name);
  const unreadMarks = unreadEvents.get(name);
  if (!event && !unreadMarks) {
    return { refusal: refuse(400, 'unknown-event', 'X-GitHub-Event names no event that Tripline knows of') };
  }
  const id = headerOf(delivery.headers, 'x-github-delivery');
  if (id === undefined || !/^[A-Za-z0-9-]{1,100}$/.test(id)) {
    return { refusal: refuse(400, 'bad-delivery-id', 'X-GitHub-Delivery is missing or is no delivery id') };
  }
  const parsed = parseJsonObject(delivery.rawBody);
  if ('refusal' in parsed) return parsed;

  if (!event) {
    if (unreadMarks!.some((key) => !Object.hasOwn(parsed.body, key))) return doesNotFit;
    return { aside: name === 'ping' ? 'ping' : 'event-not-read' };
  }
  if (!keysFit(parsed.body, event)) return doesNotFit;
  const fitted = event.schema.safeParse(parsed.body);
  if (!fitted.success) return doesNotFit;
  const body = fitted.data;

  const organization = body.organization?.login ?? body.repository?.owner.login ?? body.installation?.account?.login;
  if (organization === undefined) return { aside: 'no-workspace' };
  const workspace = workspaces.of(organization);
  if (workspace === undefined) {
    const message = 'The organisation belongs to no configured workspace; name it under `workspaces` in tripline.yaml';
    return { refusal: refuse(422, 'unknown-workspace', message) };
  }
  const told = event.normalise(body as never, { atMs: delivery.receivedAtMs });
  if (told === undefined) return { aside: 'action-not-read' };
  if (typeof told === 'string') return { aside: told };
  const data = whole(told, body);
  if (data === undefined) return { aside: 'incomplete' };
  return {
    event: {
      id: `github:${id}`,
      source: `//github.com/${organization}`,
      type: told.type,
      time: utc(told.time) ?? new Date(delivery.receivedAtMs).toISOString(),
      workspace,
      trust: 'high',
      bodySha256: delivery.bodySha256,
      data,
    } as TriplineEvent,
  };
}

const doesNotFit: Normalised = {
  refusal: refuse(422, 'body-does-not-fit-event', 'The body is not one of the event that X-GitHub-Event names'),
};

/** All attributes that were sent, or undefined when one that the event's type requires is missing. */
function whole(told: Told, body: Around): Attributes | undefined {
  const data: Record<string, unknown> = {};
  for (const part of [surroundings(body), told.data]) {
    for (const name in part) {
      const value = part[name as keyof Draft];
      if (value !== undefined) data[name] = value;
    }
  }
  return eventTypes[told.type].every((name) => data[name] !== undefined) ? (data as Attributes) : undefined;
}

const visibilities = new Set(['public', 'private', 'internal']);

function surroundings({ sender, repository, organization }: Around): Draft {
  const visibility = repository?.visibility ?? (repository?.private ? 'private' : 'public');
  return {
    'user.id': identifier(sender?.id),
    'user.name': text(sender?.login),
    'user.type': text(sender?.type),
    'vcs.provider.name': 'github',
    'vcs.owner.name': organization?.login ?? repository?.owner.login,
    'vcs.repository.name': text(repository?.full_name),
    'vcs.repository.url.full': text(repository?.html_url),
    'tripline.repository.visibility': repository && visibilities.has(visibility) ? (visibility as 'public') : undefined,
    'tripline.repository.default_branch': text(repository?.default_branch),
  };
}
