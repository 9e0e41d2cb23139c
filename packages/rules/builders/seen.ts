import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { Observed } from '@tripline/contracts/fact';
import type { Entity } from '@tripline/contracts/finding';
import { usualPlace } from '@tripline/contracts/place';
import { clip } from '@tripline/contracts/text';
import { observedBy } from '@tripline/facts/bounds';
import { observedSchema } from '@tripline/facts/observed';
import { entityOf, instanceOf, personOf, providerOf, taintOf } from '@tripline/facts/things';
import { z } from 'zod';

/** Somebody or something: compared by its id where the provider sends one, shown by its name. */
export const namedSchema = z.object({ id: z.string(), name: z.string() });
export type Named = z.infer<typeof namedSchema>;

/** What a builder keeps of an event: by whom it was, and where. The sentences are made when they are told. */
export const seenSchema = observedSchema.extend({
  by: namedSchema,
  repository: namedSchema.optional(),
  run: z.string().optional(),
  place: z.string().optional(),
});
/**
 * `run`: the key of the run where it happened in one, or `owner/name#run` where no event told an id, and in what former
 * versions kept. `place`: provider and instance, unless it is GitHub's own.
 */
export type Seen = Observed & { by: Named; repository?: Named; run?: string; place?: string };

/** @returns what `event` shows, without anything of a rule's own. */
export function seenBy(event: LoggedEvent): Seen {
  const repository = repositoryOf(event);
  const run = (event.data as Attributes)['cicd.pipeline.run.id'] === undefined ? undefined : taintOf(event);
  const place = `${providerOf(event)}:${instanceOf(event)}`;
  return {
    ...{ ...observedBy(event), by: actorOf(event) },
    ...(repository === undefined ? {} : { repository }),
    ...(run === undefined ? {} : { run }),
    ...(place === usualPlace ? {} : { place }),
  };
}

/** Who and where it was, as what a finding is about. */
export function entitiesOf({
  by,
  repository,
  place = usualPlace,
}: Pick<Seen, 'by' | 'repository' | 'place'>): Entity[] {
  const { name: login, id } = by;
  // Where no event told an id, it is the login.
  const person = personOf({ login, ...(id === login.toLowerCase() ? {} : { id }) }, place);
  if (repository === undefined) return [person];
  return [person, entityOf('repository', repository.name, `${place}:${repository.id}`)];
}

/** Who did it: who set the run off, or whose act it was. Its id is the account's, and the login only where none was sent. */
export function actorOf(event: LoggedEvent): Named {
  const data: Attributes = event.data;
  const triggered = data['tripline.pipeline.triggered_by'];
  const [name, id] =
    triggered === undefined
      ? [data['user.name'] ?? data['tripline.push.pusher'], data['user.id']]
      : [triggered, data['tripline.pipeline.triggered_by_id']];
  const shown = clip(name ?? 'somebody unnamed', 200);
  return { id: id ?? shown.toLowerCase(), name: shown };
}

export function repositoryOf(event: LoggedEvent): Named | undefined {
  const data: Attributes = event.data;
  const name = data['vcs.repository.name'];
  if (name === undefined) return undefined;
  return { id: data['vcs.repository.id'] ?? `name:${name.toLowerCase()}`, name: clip(name, 200) };
}

/** A repository as an intent names it: with provider and instance, by the key of what was observed there, and its id where that is known. */
export function targetOf(repository: { id?: string | undefined; name: string }, key: string) {
  const [provider = '', instance = ''] = key.split(':', 2);
  const { id, name } = repository;
  return {
    provider,
    instance,
    repository: name,
    ...(id === undefined || id.startsWith('name:') ? {} : { repositoryId: id }),
  };
}
