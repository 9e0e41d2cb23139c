import type { LoggedEvent } from '@tripline/contracts/event';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { entityOf } from '@tripline/facts/things';
import { z } from 'zod';
import type { Sight } from './builders/own-fact.ts';

/** What is kept of a publication. */
export const publicationSchema = z.object({
  what: z.enum(['package', 'release']),
  name: z.string(),
  version: z.string(),
  /** By an app or a run’s own token. */
  byApp: z.boolean(),
});
export type Publication = Sight<z.infer<typeof publicationSchema>>;

export const isPackage = ({ type }: LoggedEvent): boolean => type === 'dev.cdevents.artifact.published';

export function publicationIn(event: LoggedEvent): z.infer<typeof publicationSchema> {
  const { data } = event;
  const isOfPackage = isPackage(event);
  return {
    what: isOfPackage ? 'package' : 'release',
    name: clip((isOfPackage ? data['tripline.package.name'] : data['vcs.repository.name'])!, 200),
    version: clip((isOfPackage ? data['tripline.package.version'] : data['tripline.release.tag']) ?? '', 100),
    byApp: data['user.type'] === 'Bot',
  };
}

/** What is found of `those`, which one person published, where apps published what was before them among `all`. */
export function publishedByHand(
  occasion: string,
  those: readonly Publication[],
  all: readonly Publication[],
  key: string,
) {
  const { data, by, repository } = those[0]!;
  const thing = data.what === 'package' ? `package ${data.name}` : `a release of ${data.name}`;
  const former = all.filter((one) => one.data.byApp && parseTime(one.time) <= parseTime(those[0]!.time)).slice(-3);
  return {
    ...{ subject: data.name, occasion, because: [...former, ...those.slice(0, 20)] },
    severity: data.what === 'package' ? ('high' as const) : ('medium' as const),
    title: `${by.name} published ${thing} (${data.version}) by hand, which runs publish`,
    summary:
      `${by.name} published ${thing}, ${those
        .map((one) => one.data.version)
        .slice(0, 5)
        .join(', ')}, and ${former.at(-1)?.by.name ?? 'an app'} published those before. ` +
      'What was published need not be what the pipeline would have built.',
    entities: repository === undefined ? [] : [entityOf('repository', repository.name, key.slice(0, key.indexOf('^')))],
    remedy: [
      `Ask ${by.name} whether they published it; if not, take the version back, end their sessions and revoke their tokens.`,
      'Let only the pipeline publish: a trusted publisher, or a token that only its environment holds.',
    ],
  };
}
