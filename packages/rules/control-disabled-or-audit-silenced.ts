import type { Confidence, Severity } from '@tripline/contracts/finding';
import { type Conclusion, defineRule } from '@tripline/contracts/rule';
import { msBetween, parseTime } from '@tripline/contracts/time';
import {
  type FeedSilences,
  feedSilences,
  feedSilencesKey,
  isDeletion,
  type Silence,
  type SwitchedOff,
} from '@tripline/facts/feed-silences';
import { entityOf, personOf } from '@tripline/facts/things';
import { z } from 'zod';
import { because } from './evidence.ts';

const hourMs = 3_600_000;
/** What somebody switched off so long before a silence explains it; a webhook that was changed, which teams do, if it began with that. */
const explainsMs = { off: 24 * hourMs, changed: hourMs };
/** Clocks differ, and a silence is noticed by the hour. */
const slackMs = hourMs;

/** What a silence is, in words, and how grave by itself: GitHub's own outage looks like most of them. */
const silences: Readonly<Record<string, { says: string; severity: Severity; remedy: string }>> = {
  'below-usual': {
    says: 'tells nothing, at hours at which it has told much in each of the weeks before',
    severity: 'low',
    remedy: 'See the provider’s status page, and its own list of deliveries for what was answered.',
  },
  'deliveries-missing': {
    says: 'has deliveries that the provider tried to make for over an hour and could not',
    severity: 'low',
    remedy: 'See what stands between the provider and the receiver; they are asked for again by themselves.',
  },
  'never-seen': {
    says: 'has a token and has never told anything',
    severity: 'low',
    remedy: 'Set the stream up at the provider, or take its token out of the settings.',
  },
  'not-readable': {
    says: 'cannot be read',
    severity: 'medium',
    remedy: 'See `tripline doctor` for why: if its token was revoked or its permission taken, ask who did that.',
  },
  'hook-deleted': {
    says: 'has no webhook any more, as the provider answers',
    severity: 'medium',
    remedy:
      'Set the webhook up again, and ask who deleted it; if it is there, the right to read its deliveries was taken.',
  },
};

export const rule = defineRule({
  id: 'control-disabled-or-audit-silenced',
  title: 'Feed fell silent, or its webhook was deleted',
  description:
    'A feed tells nothing at hours at which it told much in each of the weeks before, has deliveries that cannot be made, was never seen though it is configured, or cannot be read: low or medium, since most such silences are an outage of the provider’s or one’s own, and taken back once it tells again. ' +
    'High where within the day before somebody deleted a webhook or an audit stream, within the hour changed a webhook, or switched off the second factor, single sign-on or the approval of apps: then the finding is about them too, and stays. ' +
    'The deletion of a webhook is found by itself, by webhook and audit log once: of an organisation medium, of a repository low.',
  severity: 'high',
  confidence: 'high',
  principles: [2, 5],
  attack: ['T1685', 'T1685.002'],
  owasp: ['CICD-SEC-10', 'CICD-SEC-7'],
  feeds: {
    needs: ['github', 'github-audit'],
    better: { 'github-audit': 'who deleted an audit stream or switched off a control before the silence' },
  },
  falseAlarms: [
    'An outage of the provider’s, of the network or of the receiver: low, and taken back when the feed tells again.',
    'A day on which nobody works: low, after hours without any event at all.',
    'A migration of webhooks or streams: an exception for who makes it, until then.',
  ],
  limits: [
    'What is usual is known after three weeks, by the hour of the week; a feed that tells little falls silent unnoticed for longer.',
    'Silence is noticed by the reconciler: where none runs, or where nothing reaches the trail, nothing is told.',
    'A webhook that was deleted by an account’s owner before its last delivery was made is told by the audit log alone.',
  ],
  reads: [],
  settings: z.strictObject({}),
  learns: false,
  concludes: {
    uses: [feedSilences],
    subjects: ({ key }) => [key],
    conclude(key, context) {
      const known = context.read(feedSilences, key);
      if (known === undefined) return [];
      return [...silencesIn(known, context.explain), ...deletionsIn(known)];
    },
  },
});

function silencesIn({ silences: told, switches }: FeedSilences, explain: (reason: string) => void): Conclusion[] {
  const begun = Map.groupBy(
    told.filter(({ silence }) => silence !== 'none'),
    (one) => `${one.feed} ${one.silence} ${one.since}`,
  );
  return [...begun.values()].flatMap((tellings) => {
    const one = tellings[0]!;
    const what = silences[one.silence];
    if (what === undefined) return [];
    const isOver = told.some(
      ({ silence, feed, since }) => silence === 'none' && feed === one.feed && since === one.since,
    );
    const before = switches.filter((act) => explainsSilence(act, one));
    if (isOver && before.length === 0) {
      explain(`${one.feed} tells again`);
      return [];
    }
    if (one.silence === 'hook-deleted' && before.some(isDeletion)) {
      explain(`${before.find(isDeletion)!.by.login} deleted the webhook, which is told by itself`);
      return [];
    }
    const says = `Feed ${one.feed} ${what.says}${one.since === '' ? '' : `, since ${one.since.slice(0, 16).replace('T', ' ')} UTC`}`;
    return [
      {
        ...{ subject: `feed ${one.feed}`, occasion: `${one.silence}@${one.since}` },
        severity: before.length > 0 ? 'high' : what.severity,
        confidence: (before.length > 0 ? 'medium' : 'low') satisfies Confidence,
        title: before.length > 0 ? `${says}, after ${before[0]!.by.login} switched off what tells` : says,
        summary:
          `${says}. What happens meanwhile is not seen here. ` +
          (before.length > 0
            ? `Within the day before: ${before.map(inWords).join('; ')}.`
            : 'Most such silences are an outage of the provider’s, of the network or of Tripline’s own.'),
        entities: peopleAndPlaces(before),
        response: [],
        remedy: [
          what.remedy,
          ...(before.length > 0
            ? [`Ask ${before[0]!.by.login}, by another way than this account, whether that was meant.`]
            : []),
        ],
        because: [
          because(feedSilences, feedSilencesKey, one, says),
          ...before.map((one) => ({ ...because(feedSilences, feedSilencesKey, one, inWords(one)), act: one.act })),
        ],
      },
    ];
  });
}

/** A repository's own hook silences that repository at most. */
function explainsSilence(act: SwitchedOff, { since, time, silence }: Silence): boolean {
  if (act.isRepository || silence === 'never-seen') return false;
  const agoMs = parseTime(since === '' ? time : since) - parseTime(act.time);
  const isChanged = act.kind === 'hook' && !isDeletion(act);
  return agoMs >= -slackMs && agoMs <= (isChanged ? explainsMs.changed : explainsMs.off);
}

/** Webhooks that somebody deleted, each once by whichever feeds tell it. */
function deletionsIn({ switches }: FeedSilences): Conclusion[] {
  const deleted = switches.filter(isDeletion);
  return [...Map.groupBy(deleted, ({ act }) => act).entries()].map(([act, tellings]) => {
    const one = tellings.toSorted((a, b) => msBetween(b, a) || (a.eventId < b.eventId ? -1 : 1))[0]!;
    const says = `${one.by.login} deleted a webhook of ${one.place}`;
    return {
      ...{ subject: one.place, occasion: act, title: says, response: [] },
      severity: one.isRepository ? 'low' : 'medium',
      summary: `${says}. Whoever watches by it, as Tripline may, is told nothing more.`,
      entities: peopleAndPlaces(tellings),
      remedy: [
        `Ask ${one.by.login}, by another way than this account, whether that was meant; set it up again unless it was.`,
      ],
      because: tellings.map((telling) => ({
        ...because(feedSilences, feedSilencesKey, telling, inWords(telling)),
        act,
      })),
    };
  });
}

const inWords = ({ by, kind, action, place }: SwitchedOff): string =>
  `${by.login}: ${kind} ${action.replaceAll('_', ' ')} (${place})`;

function peopleAndPlaces(acts: readonly SwitchedOff[]): Conclusion['entities'] {
  return acts.flatMap(({ by, place, at, isRepository }) => [
    ...(by.login === 'somebody unnamed' ? [] : [personOf(by, at)]),
    ...(isRepository ? [entityOf('repository', place, `${at}:name:${place.toLowerCase()}`)] : []),
  ]);
}
