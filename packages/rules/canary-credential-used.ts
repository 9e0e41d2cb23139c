import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { Intent } from '@tripline/contracts/response';
import { clip } from '@tripline/contracts/text';
import { audited, tokenUsed } from '@tripline/facts/audited';
import { credentialsUsed } from '@tripline/facts/credentials';
import { instanceOf, providerOf } from '@tripline/facts/things';
import { z } from 'zod';
import { match } from './builders/match.ts';
import { actorOf } from './builders/seen.ts';

const dayMs = 86_400_000;
const name = z.string().min(1).max(300);
const settings = {
  /** Base64 SHA-256 of a token's value, as GitHub's audit log writes it (`hashed_token`). */
  tokens: z.array(name).max(1000).default([]),
  /** Ids of tokens (`token_id`). */
  ids: z.array(name).max(1000).default([]),
  /** Secrets that no workflow may use, `owner/name/SECRET`, or `SECRET` in whatever repository. */
  secrets: z.array(name).max(1000).default([]),
};
type Settings = z.output<z.ZodObject<typeof settings>>;

/** The canary that an event used, as findings name it, and how a sentence does. */
function canaryIn(event: LoggedEvent, { tokens, ids, secrets }: Settings): { id: string; words: string } | undefined {
  const used = tokenUsed(event);
  if (used?.hash !== undefined && tokens.includes(used.hash)) return { id: used.hash, words: 'a canary token' };
  if (used?.id !== undefined && ids.includes(used.id)) return { id: used.id, words: `canary token ${used.id}` };
  if (secrets.length === 0) return undefined;
  for (const credential of credentialsUsed(event)) {
    const [, whole, secret] = /^secret:([^/]+\/[^/]+\/(.+))$/s.exec(credential) ?? [];
    // Names of secrets and repositories are compared without case, as GitHub does.
    const isCanary = (one: string) => [whole, secret].some((known) => known?.toLowerCase() === one.toLowerCase());
    if (whole !== undefined && secrets.some(isCanary))
      return { id: credential, words: `canary secret ${clip(whole, 200)}` };
  }
  return undefined;
}

/** The run that was handed a canary; a token’s use names no run. */
function stopRun(event: LoggedEvent): Intent[] {
  const { 'vcs.repository.name': repository, 'vcs.repository.id': repositoryId, ...data }: Attributes = event.data;
  const runId = data['cicd.pipeline.run.id'];
  if (repository === undefined || runId === undefined) return [];
  const place = { provider: providerOf(event), instance: instanceOf(event) };
  return [{ action: 'stop-run', ...place, repository, runId, ...(repositoryId === undefined ? {} : { repositoryId }) }];
}

export const rule = match({
  id: 'canary-credential-used',
  title: 'Canary credential used',
  description:
    'A credential that was laid out to be stolen was used: a token whose hash or id stands under `tokens` or `ids`, or a secret of `secrets` that a job was handed. ' +
    'Nobody has an honest use for it, so whoever used it has read what they should not. It finds nothing until a canary is configured. One finding a day for each canary and each who uses it.',
  severity: 'critical',
  principles: [5],
  attack: ['T1552.001'],
  owasp: ['CICD-SEC-6'],
  feeds: { needs: ['github-audit'] },
  untilConfigured: {
    does: 'nothing',
    why: 'Only you know which credentials you laid out: `tokens`, `ids`, `secrets`.',
  },
  falseAlarms: [
    'An inventory or secret scanner that tries what it finds: an exception for its account.',
    'A job that is handed all secrets there are (`toJSON(secrets)`): that is how secrets are stolen, and worth a change of the workflow.',
  ],
  limits: [
    'Cloud keys and others that no feed of the code host tells of: their use is told by the cloud’s own log, for which Tripline has no feed yet.',
    'A token whose use was refused, as one that was revoked: the audit log does not tell of it. A canary must be valid, and open something worthless.',
    'What a token only read by the API: GitHub streams `api.request` only where it is switched on, and for private resources.',
  ],
  on: audited,
  settings,
  find(event, given) {
    const canary = canaryIn(event, given);
    if (canary === undefined) return undefined;
    const { 'client.address': address, 'tripline.audit.action': action = 'an unnamed act' }: Attributes = event.data;
    const by = actorOf(event);
    const from = address === undefined ? '' : ` from ${clip(address, 100)}`;
    const what = `${by.name} used ${canary.words} for ${clip(action, 100)}${from}`;
    return {
      subject: canary.id,
      // Of the same day and person it is one finding, however often, or late, it is told.
      occasion: `${by.id} ${new Date(Math.floor(Date.parse(event.time) / dayMs) * dayMs).toISOString().slice(0, 10)}`,
      what,
      title: `${canary.words.replace(/^./, (letter) => letter.toUpperCase())} was used`,
      summary: `${what}. Nothing honest uses it: whoever did has read the place in which it was laid out, and has what lay beside it too.`,
      entities: [
        { kind: 'credential', id: clip(canary.id, 500) },
        ...(address === undefined ? [] : [{ kind: 'address' as const, id: clip(address, 200) }]),
      ],
      response: stopRun(event),
      remedy: [
        'Find out who and what could read the place where this canary lay; rotate every other credential that lay there.',
        'Leave the canary valid while you look: what is done with it next tells where the thief is.',
      ],
    };
  },
});
