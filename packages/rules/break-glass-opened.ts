import { eventIs } from '@tripline/contracts/event';
import { defineRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { tell } from './evidence.ts';

const isOpening = eventIs('dev.cdeventsx.tripline-breakglass.opened');
const nothing: readonly string[] = [];

export const rule = defineRule<null, Record<string, never>>({
  id: 'break-glass-opened',
  title: 'Somebody opened break-glass',
  description:
    'A signed record said who will act outside the usual way, why, and until when. ' +
    'Each opening is reported, by Slack and PagerDuty alike, whatever severity pages and whatever is silenced: with the key of a workspace a thief could excuse what he grants. ' +
    'A record explains grants that are received after it, for a day at most; what still stands when it ends is found by `grant-outlived-job`.',
  severity: 'medium',
  confidence: 'high',
  principles: [3],
  attack: ['T1078'],
  owasp: ['CICD-SEC-2'],
  feeds: { needs: ['tripline'] },
  falseAlarms: ['None: it reports what was done. Whoever opened it acknowledges it.'],
  reads: ['dev.cdeventsx.tripline-breakglass.opened'],
  settings: z.strictObject({}) as z.ZodType<Record<string, never>>,
  state: z.null(),
  learns: false,
  keys: (event) => (isOpening(event) ? [`opened:${event.id}`] : nothing),
  judge(event, context) {
    if (!isOpening(event) || event.trust !== 'high') return;
    const { data } = event;
    const actor = data['tripline.breakglass.actor'];
    const until = data['tripline.breakglass.expires_at'];
    const reason = data['tripline.breakglass.reason'];
    context.find({
      subject: clip(`break-glass:${actor}`, 300),
      title: clip(`Break-glass was opened for ${actor} until ${until}`, 300),
      summary:
        `From ${event.time} until ${until} ${actor} may act outside the usual way: ${clip(reason, 1000)}. ` +
        'What they grant meanwhile counts as explained; what still stands then is found.',
      confidence: 'high',
      evidence: [tell(event, `Break-glass was opened for ${actor} until ${until}: ${reason}`)],
      // Of its own alone: joined to an incident that somebody acknowledged, nobody would be told of it.
      entities: [{ kind: 'grant', id: `break-glass:${event.id}` }],
      response: [],
      remedy: [
        `Ask ${actor} on another channel whether they asked for it.`,
        'If nobody of yours did: put another key under breakGlassKeys of the workspace, here and at the receiver, and read what they granted since.',
      ],
    });
  },
});
