import { feedKeyBeside, secondFactors, type Unproven, unprovenIn } from '@tripline/facts/second-factors';
import { personOf } from '@tripline/facts/things';
import { z } from 'zod';
import type { Basis } from './builders/basis.ts';
import { conclusion } from './builders/conclusion.ts';

const dayMs = 86_400_000;
export const rule = conclusion({
  id: 'mfa-unproven',
  title: 'Privilege used by somebody whose second factor is not proved',
  description:
    'Somebody gave a right to write, or deployed by hand, and no feed told within `staleMs` that they had given a second factor, or one told that theirs was switched off. ' +
    'It joins the incident of what they did, and lends it weight: low where the proof is missing or stale, medium where the factor was switched off. It stops nothing, and pages nobody. ' +
    'It is silent until a feed has told of second factors for `staleMs`. What one person does in a day is one finding, which names the first act of each hour.',
  severity: 'medium',
  confidence: 'medium',
  principles: [2],
  attack: ['T1078.004', 'T1556.006'],
  owasp: ['CICD-SEC-2'],
  feeds: {
    needs: ['github-audit'],
    better: { github: 'it tells of rights and deployments at once' },
  },
  falseAlarms: [
    'A session that lasts longer than `staleMs`: set it as long as your sessions.',
    'A service account that people sign in to without a second factor: an exception for it, or better a GitHub App.',
  ],
  limits: [
    'An organisation’s audit log tells of second factors only for enterprise-managed users, or as far as the provider streams them; with single sign-on the identity provider asks for them, and its own feed would tell. Where nothing tells, nothing is found.',
    'With which session something was done: a thief’s token is used while its owner has given theirs.',
    'Rights that an app or a workflow gives, and deployments by jobs: they have no second factor; other rules judge them.',
  ],
  settings: {
    /** How long a proof of a second factor counts, ms. */
    staleMs: z
      .int()
      .min(3_600_000)
      .max(60 * dayMs)
      .default(30 * dayMs),
    /** How long a proof that is told late is waited for, ms. */
    graceMs: z.int().min(0).max(dayMs).default(3_600_000),
  },
  about: secondFactors,
  where: ({ who, acts }) => who !== undefined && acts.length > 0,
  conclude(of, { key, settings, nowMs, watch, recheckAt }) {
    const feed = feedKeyBeside(key);
    const since = watch(secondFactors, feed)?.first;
    if (since === undefined) return [];
    const all = unprovenIn(of, since, settings.staleMs);
    const dueMs = ({ act }: Unproven) => act.heardMs + settings.graceMs;
    const waiting = all.map(dueMs).filter((ms) => ms > nowMs);
    if (waiting.length > 0) recheckAt(Math.min(...waiting));
    const login = of.who!.login;
    const byDay = Map.groupBy(
      all.filter((one) => dueMs(one) <= nowMs),
      ({ act }) => act.time.slice(0, 10),
    );
    return [...byDay].map(([day, those]) => {
      const off = those.find(({ isOff }) => isOff)?.last;
      const last = those[0]!.last;
      const line = (seen: Basis['seen'], what: string, at = key): Basis => ({
        fact: secondFactors,
        key: at,
        seen,
        what,
      });
      const proofs =
        last === undefined
          ? [line(since, 'a feed tells of second factors since then', feed)]
          : [line(last, `${login}: ${last.method}${off === last ? ' switched off' : ''}`)];
      return {
        ...{ subject: login, occasion: day, severity: off === undefined ? ('low' as const) : ('medium' as const) },
        title: `${login} used a privilege, and their second factor is not proved`,
        summary: `${login} ${those[0]!.act.what}. ${
          off !== undefined
            ? `Their second factor was switched off at ${off.time}.`
            : last === undefined
              ? 'No feed has told of a second factor of theirs.'
              : `They gave their second factor at ${last.time} for the last time.`
        }`,
        because: [...proofs, ...those.slice(0, 10).map(({ act }) => line(act, `${login} ${act.what}`))],
        entities: [personOf(of.who!, key)],
        remedy: [
          `Ask ${login} on another channel whether this was they.`,
          'Require a second factor of all members: the setting of the organisation removes those who have none.',
        ],
      };
    });
  },
});
