import { z } from 'zod';
import { text } from '../untrusted.ts';
import { bodyOf, maybe, revisionOf } from './body.ts';
import { defineEvent } from './family.ts';

const page = z.object({ page_name: maybe, title: maybe, action: maybe, sha: maybe });

/** Pages of a wiki were written. Whoever may read a public repository may be allowed to; nobody reviews it. */
export const gollum = defineEvent({
  marks: ['pages', 'repository'],
  schema: bodyOf({ pages: z.array(page) }),
  normalise: ({ pages }) => ({
    type: 'dev.cdeventsx.tripline-wiki.changed',
    data: {
      'tripline.wiki.pages': pages.slice(0, 100).map(({ page_name, title, action, sha }) => {
        const revision = revisionOf(sha || undefined);
        return {
          title: text(title ?? page_name, 512) ?? '',
          action: text(action, 64) ?? '',
          ...(revision === undefined ? {} : { revision }),
        };
      }),
    },
  }),
});
