import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { Fact } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { audited, tokenUsed } from './audited.ts';
import { type Bound, observedBy } from './bounds.ts';
import { credentialsUsed } from './credentials.ts';
import { keepEarliest } from './earliest.ts';
import { observedSchema } from './observed.ts';
import { accountSchema, keyOf, runKeyOf, runNameOf, senderOf } from './things.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;

const useSchema = observedSchema.extend({
  by: accountSchema.optional(),
  action: z.string().optional(),
  address: z.string().optional(),
  heardMs: z.number(),
});
const jobSchema = observedSchema.extend({ run: z.string(), runKey: z.string() });
const hourSchema = z.object({
  /** The token’s hash or id, or the secret as `owner/name/NAME`. */
  named: z.string(),
  /** The first use in each minute: what lies within a minute lies within the same job. */
  uses: z.array(useSchema),
  /** Jobs that were given the secret: one a run, the first. */
  jobs: z.array(jobSchema),
});
export type HourOfCredential = z.infer<typeof hourSchema>;
type Use = z.infer<typeof useSchema>;
type Job = z.infer<typeof jobSchema>;

const uses: Bound<Use> = { kind: 'uses', authorOf: () => '', mostPerAuthor: 60, most: 60, rolls: 'all' };
const jobs: Bound<Job> = { kind: 'jobs', authorOf: () => '', mostPerAuthor: 300, most: 300, nameOf: ({ run }) => run };

/** Of credentials that settings name: in which minutes they were used, and which runs were given them; by the hour. */
export const jobCredentials: Fact<HourOfCredential> = {
  id: 'job-credentials',
  description:
    'Tokens that only jobs are to use, and the secrets that hold them, as far as settings name them: in which minutes they were used, and which runs were given them. Only the audit log tells.',
  reads: audited,
  value: hourSchema as z.ZodType<HourOfCredential>,
  keys(event) {
    const hour = hourOf(parseTime(event.time));
    return namesIn(event).map((name) => hourKey(keyOf(event, ''), name, hour));
  },
  learn(known, event, at) {
    const named = namesIn(event).find((name) => at.key.includes(`:${name} `));
    if (named === undefined || !at.wants(named)) return known;
    const before: HourOfCredential = known ?? { named, uses: [], jobs: [] };
    const [run, runKey] = [runNameOf(event), runKeyOf(event)];
    if (named.startsWith('secret:')) {
      if (run === undefined || runKey === undefined) return known;
      const job = { ...observedBy(event), run, runKey };
      const kept = keepEarliest<Job>(before.jobs, job, (other) => other.runKey === runKey, jobs, at);
      return kept === before.jobs ? known : { ...before, jobs: [...kept] };
    }
    const minute = Math.floor(parseTime(event.time) / minuteMs);
    const isSame = ({ time }: Use) => Math.floor(parseTime(time) / minuteMs) === minute;
    const kept = keepEarliest<Use>(before.uses, useOf(event, at.nowMs), isSame, uses, at);
    return kept === before.uses ? known : { ...before, uses: [...kept] };
  },
  keepMs: 96 * hourMs,
};

export const hourOf = (ms: number): number => Math.floor(ms / hourMs);
/** `place`: provider and instance, as every key begins. */
export const hourKey = (place: string, name: string, hour: number): string =>
  `${place.split(':', 2).join(':')}:${name} ${hour}`;
export const tokenName = (hashOrId: string): string => `token:${clip(hashOrId, 200)}`;
export const secretName = (fullName: string): string => `secret:${clip(fullName.toLowerCase(), 400)}`;

/** What settings may name of an event: the token that was used, by its hash and its id, or the secrets that a job was given. */
function namesIn(event: LoggedEvent): string[] {
  const token = tokenUsed(event);
  if (token !== undefined) return [token.hash, token.id].flatMap((one) => (one === undefined ? [] : [tokenName(one)]));
  if ((event.data as Attributes)['tripline.credential.secrets'] === undefined) return [];
  return credentialsUsed(event)
    .filter((id) => id.startsWith('secret:'))
    .map((id) => secretName(id.slice('secret:'.length)));
}

function useOf(event: LoggedEvent, heardMs: number): Use {
  const { 'tripline.audit.action': action, 'client.address': address }: Attributes = event.data;
  const by = senderOf(event.data);
  return {
    ...observedBy(event),
    heardMs,
    ...(by === undefined ? {} : { by }),
    ...(action === undefined ? {} : { action: clip(action, 100) }),
    ...(address === undefined ? {} : { address: clip(address, 100) }),
  };
}
