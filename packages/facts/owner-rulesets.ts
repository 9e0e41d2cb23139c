import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { readJson } from './control-strengths.ts';
import { matches } from './ref-patterns.ts';
import { keyOf, repositoryKeyOf } from './things.ts';

/** Which of its owner's repositories a ruleset binds: by patterns of their names, or by their ids. */
export const bindsSchema = z.object({
  include: z.array(z.string()),
  exclude: z.array(z.string()),
  ids: z.array(z.string()),
});
type Binds = z.infer<typeof bindsSchema>;

const mostOfEach = 100;

/** The key under which the rulesets stand that an organisation sets for its repositories; undefined for what is none of them. */
export function ownerRulesetsKey(event: LoggedEvent): string | undefined {
  const { 'tripline.control.kind': kind, 'vcs.owner.name': owner }: Attributes = event.data;
  if (kind !== 'ruleset' || owner === undefined || repositoryKeyOf(event) !== undefined) return undefined;
  return keyOf(event, rulesetsOf(owner));
}

/** As the key ends, after provider and instance: by the owner's name, which is all that a repository's name tells of them. */
export const rulesetsOf = (owner: string): string => `rulesets-of:${clip(owner.toLowerCase(), 200)}`;

/** What a ruleset of an owner says of whom it binds. By their properties it binds nobody of whom that is known. */
export function bindsOf(settings: Readonly<Record<string, string>>): Binds {
  const { repository_name: names, repository_id: ids } = (readJson(settings['conditions']) ?? {}) as {
    repository_name?: { include?: unknown; exclude?: unknown };
    repository_id?: { repository_ids?: unknown };
  };
  const texts = (list: unknown) =>
    (Array.isArray(list) ? list : []).slice(0, mostOfEach).map((one) => clip(String(one).toLowerCase(), 200));
  return { include: texts(names?.include), exclude: texts(names?.exclude), ids: texts(ids?.repository_ids) };
}

/** Whether it binds a repository, by its full name and its id. */
export function isBound({ include, exclude, ids }: Binds, fullName: string, id: string | undefined): boolean {
  if (id !== undefined && ids.includes(id)) return true;
  const name = fullName.slice(fullName.indexOf('/') + 1).toLowerCase();
  const fits = (pattern: string) => pattern === '~all' || matches(pattern, name);
  return include.some(fits) && !exclude.some(fits);
}
