import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import { accountSchema, senderOf } from './things.ts';

/**
 * Types that a record of an audit log comes as, and that may name the token with which something was done. Runs and their jobs
 * are none of them: who set a run off did so by what the record of that act names.
 */
export const audited = [
  'dev.cdeventsx.tripline-audit.recorded',
  'dev.cdeventsx.tripline-repository.read',
  'dev.cdeventsx.tripline-credential.used',
  'dev.cdeventsx.tripline-credential.issued',
  'dev.cdeventsx.tripline-credential.requested',
  'dev.cdeventsx.tripline-identity.authenticated',
  'dev.cdeventsx.tripline-grant.added',
  'dev.cdeventsx.tripline-grant.changed',
  'dev.cdeventsx.tripline-grant.removed',
  'dev.cdeventsx.tripline-control.changed',
  'dev.cdeventsx.tripline-runner.registered',
  'dev.cdeventsx.tripline-runner.removed',
] as const satisfies readonly EventType[];

/** A token as an audit record names it: by the hash of its value, and by its id where it has one. */
export type Token = { hash?: string; id?: string };

/**
 * The token with which an act was done; undefined where the event names none, or one that it is about (a request, an approval)
 * and that did nothing.
 */
export function tokenUsed({ data }: LoggedEvent): Token | undefined {
  const { 'tripline.credential.token_hash': hash, 'tripline.credential.id': id }: Attributes = data;
  // Without the hash of what was sent, an id is of what the act is about, or of a job that was given secrets.
  if (hash === undefined) return undefined;
  const isOfJob = (data as Attributes)['tripline.credential.secrets'] !== undefined;
  return { hash: clip(hash, 200), ...(id === undefined || isOfJob ? {} : { id: clip(id, 200) }) };
}

/** What was done with a token, by whom and from where; `organization`: the login of the one whose record tells it. */
export const tokenUseSchema = observedSchema.extend({
  by: accountSchema.optional(),
  action: z.string().optional(),
  address: z.string().optional(),
  organization: z.string().optional(),
});
export type TokenUse = z.infer<typeof tokenUseSchema>;

export function tokenUseOf(event: LoggedEvent): TokenUse {
  const data: Attributes = event.data;
  const { 'tripline.audit.action': action, 'client.address': address, 'vcs.owner.name': organization } = data;
  const by = senderOf(data);
  return {
    ...observedBy(event),
    ...(by === undefined ? {} : { by }),
    ...(action === undefined ? {} : { action: clip(action, 100) }),
    ...(address === undefined ? {} : { address: clip(address, 100) }),
    ...(organization === undefined ? {} : { organization: clip(organization, 100) }),
  };
}
