import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { type Conclusion, defineRule, type FindingDraft } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { replaysByDay } from '@tripline/facts/replays';
import { z } from 'zod';
import { because, tell } from './evidence.ts';

const settings = z.strictObject({
  /** So many requests without a genuine signature, of one feed and within a minute or less, are told. */
  refusals: z.int().min(1).max(1_000_000).default(100),
});
type Settings = z.output<typeof settings>;
type Entry = NonNullable<Attributes['tripline.deliveries.recent']>[number];

/** Reasons for which a body whose signature is genuine is none that the provider would send so, in words. */
const misfits: ReadonlyMap<string, string> = new Map([
  ['unexpected-shape', 'a body that is not of the event that its header claims'],
  ['body-does-not-fit-event', 'a body that is not of the event that its header claims'],
  ['wrong-organization', 'a body about an organisation for which its secret is not valid'],
  ['impossible-name', 'a repository by a name that none can have'],
]);
/** Reasons for which nobody who knows the secret has signed it. */
const forged = new Set(['bad-signature', 'missing-signature', 'malformed-authorization', 'timestamp-out-of-tolerance']);

/** The headers are not signed: only a feed whose header says what the body is can be given another’s body. */
const isMisfit = ({ genuine, reason, event }: Entry): boolean =>
  genuine && misfits.has(reason) && (event !== undefined || reason === 'wrong-organization');

function draftsOf(event: LoggedEvent, { refusals }: Settings): FindingDraft[] {
  const data: Attributes = event.data;
  const day = new Date(event.time).toISOString().slice(0, 10);
  const common = { occasion: day, confidence: 'low' as const, entities: [], response: [] };
  const byKind = Map.groupBy(
    (data['tripline.deliveries.recent'] ?? []).filter(isMisfit),
    ({ source, reason }) => `${source} ${reason}`,
  );
  const signed = [...byKind].map(([subject, entries]): FindingDraft => {
    const { source, reason } = entries[0]!;
    const about = [...new Set(entries.flatMap(({ organization }) => organization ?? []))].slice(0, 5).join(', ');
    const what = `${misfits.get(reason)} was signed with a secret of feed ${source}${about === '' ? '' : `, about ${clip(about, 300)}`}`;
    return {
      ...{ ...common, subject: clip(subject, 500), severity: 'medium', evidence: [tell(event, what)] },
      title: `A secret of feed ${clip(source, 100)} signed what the provider does not send`,
      summary: `On ${day} ${what}. Either the provider has a new form of it, or somebody has the secret, or a body that was signed with it.`,
      remedy: [
        'See `tripline doctor` for what was not kept, and the provider’s own list of deliveries for whether it sent it.',
        'If it did not: make a new webhook secret, and look who could read the former one or the bodies, such as a proxy or its logs.',
      ],
    };
  });
  const unsigned = (data['tripline.deliveries.counts'] ?? []).filter(
    ({ outcome, reason, count }) => outcome === 'refused' && forged.has(reason) && count >= refusals,
  );
  return [
    ...signed,
    ...unsigned.map(({ source, reason, count }): FindingDraft => {
      const what = `${count} requests to feed ${source} were refused: ${reason}`;
      return {
        ...{ ...common, subject: clip(`${source} ${reason}`, 500), severity: 'low', evidence: [tell(event, what)] },
        title: `Many requests to feed ${clip(source, 100)} bore no genuine signature`,
        summary: `On ${day} ${what} within a minute. Nothing of them was believed. Somebody tries, or the secret at the provider is not the one that is configured here.`,
        remedy: [
          'See `tripline doctor`. If genuine deliveries are missing, set the same secret at the provider and here.',
          'Else keep the endpoint from strangers: the provider publishes from which addresses it sends.',
        ],
      };
    }),
  ];
}

export const rule = defineRule<unknown, Settings>({
  id: 'webhook-authenticity-failure',
  title: 'Delivery that is not the provider’s own',
  description:
    'Somebody sent what the provider did not. High where a body that was signed with a genuine secret came a second time, and the provider’s own list of deliveries does not name it; ' +
    'medium where a genuine secret signed what fits neither the event that it claims nor the organisation that the secret is for; low where `refusals` requests within a minute bore no genuine signature. ' +
    'Nothing that is refused is believed, and a repeated body explains nothing away: this says that somebody tries. One finding a day for each feed and reason; the latter two are told in the workspace `@receiver`.',
  severity: 'high',
  confidence: 'high',
  principles: [2, 5],
  attack: ['T1078', 'T1110'],
  owasp: ['CICD-SEC-2', 'CICD-SEC-10'],
  feeds: {
    needs: ['github', 'github-audit'],
    better: {
      'github-api': 'the list of deliveries, by which a replay is told from a delivery that GitHub made again',
    },
  },
  falseAlarms: [
    'A secret that was changed at the provider alone: low, and `doctor` says so.',
    'The provider sends an event in a form that this version does not know: medium, and told once a day.',
    'Scanners of the internet, which send a few requests an hour: not told at all below `refusals`.',
  ],
  limits: [
    'A replay where Tripline may not read the list of deliveries (an App, or a webhook token): then a repeated body is marked unproved, and told by nothing.',
    'Whoever has the secret and signs what the provider would send: nothing tells it apart.',
    'A stale but genuine signature, of feeds that sign a time: it counts as one that is not genuine.',
    'From where a request came: the receiver stands behind a proxy, whose log says it.',
  ],
  reads: ['dev.cdeventsx.tripline-deliveries.summarized'],
  settings,
  learns: false,
  judge(event, context) {
    for (const draft of draftsOf(event, context.settings)) context.find(draft);
  },
  concludes: {
    uses: [replaysByDay],
    subjects: ({ key }) => [key],
    conclude(key, context): Conclusion[] {
      const known = context.read(replaysByDay, key);
      if (known === undefined) return [];
      const many = known.replays.length;
      return [
        {
          ...{ subject: 'replayed delivery', occasion: known.day, entities: [], response: [] },
          title: 'A delivery with a genuine signature was sent again by somebody else',
          summary: `On ${known.day} ${many === 1 ? 'a body' : `${many} bodies or more`} came again under another id, with a genuine signature, and the provider’s list of deliveries does not name it. Whoever sent it has a body that was delivered before, as a proxy or its log has.`,
          because: known.replays.map((one) =>
            because(replaysByDay, key, one, `delivery ${clip(one.delivery, 200)} is in no list of the provider’s`),
          ),
          remedy: [
            'Look who can read deliveries on their way: proxies, their logs, tunnels, request bins.',
            'Make a new webhook secret: what was signed with the former one is worth nothing then.',
          ],
        },
      ];
    },
  },
});
