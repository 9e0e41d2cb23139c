import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, eventIs, type LoggedEvent } from '@tripline/contracts/event';
import { thingKey } from '@tripline/contracts/fact';
import type { Entity } from '@tripline/contracts/finding';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';

/**
 * How facts name things: by the provider's ids, since names change hands. Where an event bears a name alone, such as an
 * inventory, the key is made of it, with `name:` before it; the fact of repositories knows which names an id has had.
 */

/** An account as an event names it. `id` decides who it is; the login is what people read. */
export const accountSchema = z.object({
  id: z.string().optional(),
  login: z.string(),
  /** The provider's word, such as `User` or `Bot`. */
  type: z.string().optional(),
});
export type Account = z.infer<typeof accountSchema>;

/** An account of an event's attributes; undefined where it is not named at all. */
export function accountOf(login: string | undefined, id?: string, type?: string): Account | undefined {
  if (login === undefined && id === undefined) return undefined;
  // Without spreads: it is created for nearly every event.
  const account: Account = { login: clip(login ?? `account ${id}`, 256) };
  if (id !== undefined) account.id = id;
  if (type !== undefined) account.type = type;
  return account;
}

/** Who did what the event tells: GitHub's sender. */
export function senderOf(data: Attributes): Account | undefined {
  return accountOf(data['user.name'], data['user.id'], data['user.type']);
}

/** Whether two accounts are one: by their ids, and by their logins only where one of them bears no id. */
export function isSameAccount(a: Account | undefined, b: Account | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  if (a.id !== undefined && b.id !== undefined) return a.id === b.id;
  return a.login.toLowerCase() === b.login.toLowerCase();
}

/** By whom something was observed, for bounds: the id, or else the name. */
export function authorOf(account: Account | undefined): string {
  return account === undefined ? '' : (account.id ?? `name:${account.login.toLowerCase()}`);
}

/**
 * The provider's host, such as `github.com`: by the repository's address, or else by the event's source. What Tripline says
 * of itself (`//tripline/…`, as a drill's inventory does) names none: then it is GitHub's own.
 */
export function instanceOf(event: LoggedEvent): string {
  const data: Attributes = event.data;
  const named = hostOf(data['vcs.repository.url.full'], 'https://') ?? data['tripline.provider.instance'];
  const host = named ?? hostOf(event.source, '//');
  return host === undefined || host === 'tripline' ? 'github.com' : host;
}

/** An API's host stands for what it is the API of. */
function hostOf(address: string | undefined, before: string): string | undefined {
  if (address === undefined || !address.startsWith(before)) return undefined;
  const from = address.startsWith('api.', before.length) ? before.length + 4 : before.length;
  const to = address.indexOf('/', from);
  const host = address.slice(from, to < 0 ? address.length : to);
  // `//tripline/acme` is our own word, and an address without a name is where tests listen.
  return /\.[a-z]/i.test(host) ? host : undefined;
}

/** The provider that an event is of. */
export const providerOf = (event: LoggedEvent): string => (event.data as Attributes)['vcs.provider.name'] ?? 'github';

/** How a repository is named within keys: its id, or `name:` and its full name in lower case. */
export function repositoryIdOf(data: Attributes): string | undefined {
  const id = data['vcs.repository.id'];
  if (id !== undefined) return id;
  const name = data['vcs.repository.name'];
  return name === undefined ? undefined : namedRepository(name);
}
export const namedRepository = (fullName: string): string => `name:${clip(fullName.toLowerCase(), 256)}`;

/** What a finding is about: its name for people and, unless the key is made of a name itself, the key by which it is known. */
export function entityOf(kind: Entity['kind'], name: string, key?: string): Entity {
  const id = clip(name, 500);
  return key === undefined || key.includes(':name:') ? { kind, id } : { kind, id, key: clip(key, 600) };
}
/** An account as an entity. `by`: any key of the same provider and instance, such as a repository's. */
export function personOf({ id, login }: Account, by: string): Entity {
  return entityOf('user', login, id === undefined ? undefined : `${by.split(':', 2).join(':')}:user:${id}`);
}

/** Of the event that was asked for last, since each fact asks in turn, and an inventory is asked for each of its things. */
let placed: LoggedEvent | undefined;
let provider = '';
let instance = '';

/** A thing of the provider that told the event. */
export function keyOf(event: LoggedEvent, id: string): string {
  if (event !== placed) {
    provider = providerOf(event);
    instance = instanceOf(event);
    placed = event;
  }
  return thingKey(provider, instance, id);
}

/**
 * `make`, called once an event: a fact is asked for each thing that an inventory lists, and must not go through all of them each
 * time. It is asked when a batch is read, and again when the event is taken.
 */
export function onceAnEvent<T>(make: (event: LoggedEvent) => T): (event: LoggedEvent) => T {
  const madeOf = new WeakMap<LoggedEvent, { made: T }>();
  let of: LoggedEvent | undefined;
  let made: T;
  return (event) => {
    if (event !== of) {
      const known = madeOf.get(event) ?? { made: make(event) };
      madeOf.set(event, known);
      made = known.made;
      of = event;
    }
    return made;
  };
}

/** Keys of the things of a repository, by its own key (`thingKey` of its id). */
export const runKeyIn = (repositoryKey: string, runId: string): string => `${repositoryKey}#${runId}`;
export const commitKeyIn = (repositoryKey: string, revision: string): string => `${repositoryKey}@${revision}`;
export const changeKeyIn = (repositoryKey: string, number: string): string => `${repositoryKey}!${number}`;
export const refKeyIn = (repositoryKey: string, type: 'branch' | 'tag', name: string): string =>
  `${repositoryKey}:${type}:${clip(name, 300)}`;
/** What a ref's key names. No name of a ref has a colon. */
export function refNamedIn(key: string): { repository: string; type: 'branch' | 'tag'; name: string } {
  const [, repository = key, type, name = ''] = /^(.*?):(branch|tag):(.*)$/s.exec(key) ?? [];
  return { repository, type: type === 'tag' ? 'tag' : 'branch', name };
}

/** Of the event that was asked for last, since each fact asks in turn. */
let asked: LoggedEvent | undefined;
let answered: string | undefined;

/** The key of the repository that an event is about; undefined where it is about none. */
export function repositoryKeyOf(event: LoggedEvent): string | undefined {
  if (event !== asked) {
    const id = repositoryIdOf(event.data);
    answered = id === undefined ? undefined : keyOf(event, id);
    asked = event;
  }
  return answered;
}

/** Events of a run itself, and not of one of its jobs. */
export const runTypes = [
  'dev.cdevents.pipelinerun.queued',
  'dev.cdevents.pipelinerun.started',
  'dev.cdevents.pipelinerun.finished',
] as const satisfies readonly EventType[];
export const isOfRun = eventIs(...runTypes);

/** The key of the run that an event is of, or of whose jobs it is one. */
export function runKeyOf(event: LoggedEvent): string | undefined {
  const repository = repositoryKeyOf(event);
  const run = (event.data as Attributes)['cicd.pipeline.run.id'];
  return repository === undefined || run === undefined ? undefined : runKeyIn(repository, run);
}

/**
 * By what is asked whether anything was found of the run that an event is of: its key, or its name where no id was told.
 */
export function taintOf(event: LoggedEvent): string | undefined {
  const key = runKeyOf(event);
  return key?.includes(':name:') ? runNameOf(event) : key;
}

/** The run that an event is of, as findings name it, `owner/name#run`. */
export function runNameOf({ data }: LoggedEvent): string | undefined {
  const { 'vcs.repository.name': repository, 'cicd.pipeline.run.id': run } = data as Attributes;
  return repository === undefined || run === undefined ? undefined : `${repository}#${run}`;
}
