import { repositories } from '@tripline/facts/repositories';
import { noHouse, placeOf, reviewFacts, reviewReader } from '@tripline/facts/review-reader';
import { isReviewed } from '@tripline/facts/reviewed';
import { entityOf } from '@tripline/facts/things';
import { conclusion } from './builders/conclusion.ts';
import { shortSha } from './evidence.ts';

export const rule = conclusion({
  id: 'default-branch-unprotected',
  title: 'Default branch that requires no review',
  description:
    'An inventory found no protected branch in a repository, or it was made since and none was protected, and something came to its default branch that nobody else reviewed: whoever may write to it reaches what is built of it. ' +
    'It is told once a repository, and taken back once the branch is protected. What lands there afterwards is no finding of `build-from-unreviewed-commit`, since nothing was got round. ' +
    'A protection that somebody takes away does not make a repository one of these: for a week, and until an inventory of after it, what lands is found as before.',
  severity: 'low',
  principles: [2],
  attack: ['T1677', 'T1195.002'],
  owasp: ['CICD-SEC-1'],
  feeds: {
    needs: ['github'],
    better: {
      'github-api': 'tells by an inventory which repositories nobody protects, without which this finds nothing',
    },
  },
  falseAlarms: ['Repositories that are meant to be so, such as notes and trials: an exception for the repository.'],
  limits: [
    'A repository that was moved here since the last inventory, or made while nothing was received: its landings are findings of `build-from-unreviewed-commit` until `tripline inventory import` is run again.',
    'A ruleset of the organisation that was made since the last inventory and binds repositories by their properties, or of which only the audit log told: what it protects is not known.',
    'A protection that asks for less than a review, such as for checks or against force pushes, counts as one.',
  ],
  about: repositories,
  uses: reviewFacts,
  where: ({ asked }) => asked.length > 0,
  conclude({ names, asked, protections }, { key, ...context }) {
    // As it was called first, so that a renaming makes no other notice.
    const name = names[0]?.name ?? key;
    const place = placeOf(key, name, undefined, context);
    const since = place.requiresNone(Number.POSITIVE_INFINITY);
    if (since === undefined) {
      context.explain('a branch of it is protected now');
      return [];
    }
    // An inventory that names no ids stands under the name.
    const isOwn = protections.some(({ eventId }) => eventId === since.eventId);
    const none = `No branch of ${name} was protected`;
    const reader = reviewReader(place, undefined, context, noHouse);
    for (const one of asked) {
      const verdict = isReviewed(one.revision, reader);
      if (!verdict.needsNone) continue;
      const branch = place.defaultBranch ?? 'the default branch';
      return [
        {
          ...{ subject: name, occasion: 'nobody requires a review' },
          because: [
            ...(isOwn ? [{ fact: repositories, key, seen: since, what: `${none} then` }] : []),
            { fact: repositories, key, seen: one, what: `${shortSha(one.revision)} was looked up` },
            ...verdict.seen.map(({ observed, ...seen }) => ({ ...seen, seen: observed })),
          ],
          title: `${branch} of ${name} requires no review`,
          summary: `${shortSha(one.revision)} is not reviewed: ${verdict.why}. ${none}: whoever may write to it, or steals a token that may, reaches what is built, released and deployed of it.`,
          entities: [entityOf('repository', name, key)],
          remedy: [
            `Protect ${branch}: a ruleset that requires a pull request with an approval by somebody else, and lets nobody go round it.`,
            'Where it is meant to be so, add an exception for the repository.',
          ],
        },
      ];
    }
    return [];
  },
});
