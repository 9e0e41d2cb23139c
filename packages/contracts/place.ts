import type { Attributes } from './attributes.ts';
import type { TriplineEvent } from './event.ts';

/** Where a thing is: names and ids of two providers, or of two instances of one, never mean the same. */
export type Place = {
  provider: string;
  /** Host of the provider's instance, such as `github.com`. */
  instance: string;
};

/** GitHub's own, by provider and instance: where a thing is that names no place. */
export const usualPlace = 'github:github.com';

/**
 * Where that is of which `event` tells: by its own address, the instance that it names, or else its source's. What Tripline says of itself (`//tripline/…`)
 * names no provider's host: then it is GitHub's own.
 */
export function placeOf({ data, source }: Pick<TriplineEvent, 'source'> & { data: TriplineEvent['data'] }): Place {
  const { 'vcs.repository.url.full': url, 'tripline.provider.instance': instance }: Attributes = data;
  // A look-up's answer names the API's host.
  const said = /^\/\/([^/:]+)/.exec(source)?.[1]?.replace(/^api\./, '');
  const host =
    /^[a-z]+:\/\/(?:[^/@]*@)?([^/:]+)/i.exec(url ?? '')?.[1] ?? instance ?? (said === 'tripline' ? undefined : said);
  return { provider: data['vcs.provider.name'] ?? 'github', instance: (host ?? 'github.com').toLowerCase() };
}
