import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { defineRule, type FindingDraft } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { tell } from './evidence.ts';

/** `2026-11-28T09`: an outage of a provider is one finding an hour, however many jobs asked meanwhile. */
const hourOf = (time: string): string => new Date(time).toISOString().slice(0, 13);

/** Rights of people end by an event of the same type; what its provider said to be dead was found by it. */
function draftOf(event: LoggedEvent): FindingDraft | undefined {
  const data: Attributes = event.data;
  const { 'tripline.credential.kind': told, 'tripline.credential.dead_by': deadBy } = data;
  if (data['tripline.access.end'] !== 'lost' || told === undefined || deadBy !== undefined) return undefined;
  const kind = clip(told, 100);
  const tier = clip(data['tripline.access.tier'] ?? 'an unnamed tier', 100);
  const { 'vcs.repository.name': repository, 'cicd.pipeline.run.id': run } = data;
  const job = repository === undefined ? 'a job' : `a job of ${clip(repository, 300)}#${clip(run ?? '', 50)}`;
  const policy = clip(data['tripline.access.policy'] ?? '', 200);
  const expiresAt = data['tripline.credential.expires_at'];
  const until = expiresAt === undefined ? 'for as long as its provider lets it' : `until ${expiresAt} at the latest`;
  const hour = hourOf(event.time);
  return {
    ...{ subject: `minting ${kind} for ${tier}`, occasion: hour, severity: 'low', confidence: 'high' },
    title: `What came of asking for ${kind} credentials is not known`,
    summary:
      `In the hour from ${hour}:00 UTC the broker asked for ${kind} credentials of tier ${tier}, and died or got no whole answer before it could record them. ` +
      'Their values were handed to nobody. Those that were made live until they expire; each may do what its policy gives.',
    evidence: [tell(event, `asked for by policy ${policy} for ${job}; if it was made, it lives ${until}`)],
    // Many repositories share an outage: it belongs to none of them, and ends nothing of theirs.
    entities: [],
    response: [],
    remedy: [
      'See whether the provider was away, or a broker died: `tripline doctor` (`grants by …`), and the broker’s log.',
      'Nothing more, where they may do little: they expire. To end a GitHub token before, suspend the App’s installation, which shuts out all that bear its tokens, and lift that once it has expired.',
    ],
  };
}

export const rule = defineRule({
  id: 'mint-outcome-unknown',
  title: 'Credentials were asked for, and what came of it is not known',
  description:
    'The access broker asked a provider for credentials, and died or got no whole answer before it could record them; nobody was given them, and the provider cannot be asked for them. ' +
    'One finding an hour for each kind of credential and tier, however many jobs asked: it names each as long as there is room.',
  severity: 'low',
  confidence: 'high',
  principles: [3],
  attack: ['T1550.001'],
  owasp: ['CICD-SEC-6'],
  feeds: { needs: ['access'] },
  falseAlarms: [
    'The provider fails where it is asked for a credential, and made none: it cannot be told from one whose answer was lost.',
  ],
  limits: [
    'Whether any was made, and what is done with it: `token-not-minted-by-broker` finds its use by the audit log, where `broker.apps` says the App’s slug.',
  ],
  reads: ['dev.cdeventsx.tripline-access.ended'],
  where: { attribute: 'tripline.access.end', oneOf: ['lost'] },
  settings: z.strictObject({}),
  learns: false,
  judge(event, context) {
    const draft = draftOf(event);
    if (draft !== undefined) context.find(draft);
  },
});
