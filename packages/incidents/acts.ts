import type { Attributes } from '@tripline/contracts/attributes';
import type { Actor } from '@tripline/contracts/incident';
import type { OutgoingEvent } from '@tripline/db/outbox';

/** An act of a person on Tripline. */
export type Act = {
  /** The event's id: the same for the same act. */
  id: string;
  /** `triplineWorkspace` for acts that concern no single workspace. */
  workspace: string;
  kind: NonNullable<Attributes['tripline.act.kind']>;
  /** On what: an incident, a silence, a switch. */
  target: string;
  reason?: string | undefined;
  more?: Attributes;
};

/**
 * The event that records an act: who, on what, by what proof, why. For `addToOutbox`, in the transaction of the change
 * itself.
 */
export function actOf(actor: Actor, act: Act): OutgoingEvent<'dev.cdeventsx.tripline-act.performed'> {
  const { id, workspace, kind, target, reason, more } = act;
  return {
    id,
    type: 'dev.cdeventsx.tripline-act.performed',
    workspace,
    data: {
      'user.id': actor.id,
      'user.name': actor.name,
      'tripline.act.kind': kind,
      'tripline.act.target': target,
      'tripline.act.via': actor.via,
      // Absent where the caller does not say how the person was identified.
      'tripline.act.proof': actor.proof ?? 'none',
      ...(reason ? { 'tripline.act.reason': reason } : {}),
      ...more,
    },
  };
}
