import { inOwnOrder } from '@tripline/facts/bounds';
import { type Ended, givenAccess } from '@tripline/facts/given-access';
import { personOf } from '@tripline/facts/things';
import { conclusion } from './builders/conclusion.ts';
import { whyEnded } from './minted-words.ts';

const endedSince = (one: Ended) => whyEnded({ why: one.why ?? '' });

export const rule = conclusion({
  id: 'access-right-left-alive',
  title: 'Right of a person outlives the time for which it was given',
  description:
    'The access broker was to take back a right that it had given somebody for minutes, and GitHub did not say within a minute that it is so. Until it does, they have it. ' +
    'It stands when the right is taken back at last, and says so then.',
  severity: 'high',
  principles: [1, 3],
  attack: ['T1098.003'],
  owasp: ['CICD-SEC-2'],
  feeds: { needs: ['access'] },
  falseAlarms: [
    'GitHub is away for longer than a minute: the broker goes on, and the finding says when the right was taken back.',
  ],
  limits: [
    'What a broker that does not run would have taken back: `grant-outlived-job` finds that by what GitHub tells of the right.',
  ],
  about: givenAccess,
  where: ({ outlived = [] }) => outlived.length > 0,
  conclude({ given, ended, outlived = [] }, { key }) {
    return outlived.flatMap((alive) => {
      if (outlived.find(({ grant }) => grant === alive.grant) !== alive) return [];
      const own = given.filter(({ grant }) => grant === alive.grant).toSorted(inOwnOrder)[0];
      const over = ended.filter(({ grant }) => grant === alive.grant).toSorted(inOwnOrder)[0];
      const [, , kind = '', , granteeId] = key.split(':');
      const grantee = own?.grantee ?? 'somebody';
      const what = own === undefined ? 'a right' : `${own.permission ?? kind} on ${own.target}`;
      const line = (seen: Ended, said: string) => ({ fact: givenAccess, key, seen, what: said });
      return [
        {
          ...{ subject: `access:${alive.grant}`, occasion: alive.grant },
          title: `${what} of ${grantee} could not be taken back for a minute`,
          summary: `At ${alive.time} ${grantee} still had it, though ${endedSince(alive)}.${over === undefined ? ' They have it until GitHub says otherwise.' : ` It was taken back by ${over.time}.`}`,
          because: [
            ...(own === undefined
              ? []
              : [{ fact: givenAccess, key, seen: own, what: `the access broker gave ${grantee} ${what}` }]),
            line(alive, `it could not be taken back, though ${endedSince(alive)}`),
            ...(over === undefined ? [] : [line(over, 'it was taken back')]),
          ],
          entities:
            own === undefined ? [] : [personOf({ login: own.grantee, ...(granteeId && { id: granteeId }) }, key)],
          remedy: [
            'See why GitHub does not take it back: `tripline access requests --live` and the broker’s log; take it back there by hand where that goes on.',
          ],
        },
      ];
    });
  },
});
