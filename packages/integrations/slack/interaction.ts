import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Actor, Resolution } from '@tripline/contracts/incident';
import { redactText } from '@tripline/runtime/redact';
import { z } from 'zod';

/** Ids of the buttons of a message; they come back when one is pressed. */
export const actionIds = {
  acknowledge: 'tripline.acknowledge',
  resolve: 'tripline.resolve',
  falsePositive: 'tripline.false-positive',
} as const;

/** What somebody asked for by pressing a button. */
export type Interaction = { incident: string; actor: Actor } & (
  | { verb: 'acknowledge' }
  | { verb: 'resolve'; resolution: Resolution }
);

/** How far a request's time may be from ours; Slack's own advice. */
const maxSkewS = 300;

/**
 * Whether Slack signed these very bytes, and lately: `v0=` HMAC-SHA256 of `v0:<timestamp>:<body>`.
 * https://docs.slack.dev/authentication/verifying-requests-from-slack
 */
export function verifySlackSignature(request: {
  signingSecret: string;
  body: Buffer;
  timestamp: string | undefined;
  signature: string | undefined;
  nowMs: number;
}): boolean {
  const { signingSecret, body, timestamp = '', signature = '', nowMs } = request;
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(nowMs / 1000 - Number(timestamp)) > maxSkewS) return false;
  const expected = Buffer.from(
    `v0=${createHmac('sha256', signingSecret).update(`v0:${timestamp}:`).update(body).digest('hex')}`,
  );
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** A request that is no press of one of our buttons. The message says in what, and repeats nothing of it. */
export class InteractionError extends Error {
  readonly code = 'SLACK_INTERACTION';
}

const payloadSchema = z.object({
  type: z.literal('block_actions'),
  user: z.object({
    id: z.string().min(1).max(64),
    username: z.string().max(200).optional(),
    name: z.string().max(200).optional(),
  }),
  actions: z
    .array(
      z.object({
        action_id: z.string(),
        value: z.string().max(200).optional(),
        selected_option: z.object({ value: z.string().max(200) }).nullish(),
      }),
    )
    .min(1),
});
const incidentId = /^INC-[0-9]{1,15}$/;

/** Reads the urlencoded body of a verified request. @throws {InteractionError} */
export function parseInteraction(body: Buffer): Interaction {
  const payload = new URLSearchParams(body.toString('utf8')).get('payload');
  if (payload === null) throw new InteractionError('the body has no field `payload`');
  let json: unknown;
  try {
    json = JSON.parse(payload);
  } catch {
    throw new InteractionError('the field `payload` is no JSON');
  }
  const parsed = payloadSchema.safeParse(json);
  if (!parsed.success) {
    const path = parsed.error.issues[0]!.path.map(String).join('.');
    throw new InteractionError(`the payload is no press of a button: ${path || 'its top'} is not as it should be`);
  }
  const { user, actions } = parsed.data;
  // People choose their names: what looks like a credential is named by its hash here as anywhere.
  const actor: Actor = {
    via: 'slack',
    id: redactText(user.id),
    name: redactText(user.username ?? user.name ?? user.id),
  };
  const { action_id, value = '', selected_option } = actions[0]!;
  if (action_id === actionIds.acknowledge) return { verb: 'acknowledge', incident: known(value), actor };
  if (action_id === actionIds.falsePositive)
    return { verb: 'resolve', resolution: 'false', incident: known(value), actor };
  if (action_id === actionIds.resolve) {
    const [resolution, incident = ''] = (selected_option?.value ?? '').split(' ');
    if (resolution === 'true' || resolution === 'accepted')
      return { verb: 'resolve', resolution, incident: known(incident), actor };
    throw new InteractionError('the option is none of those offered');
  }
  throw new InteractionError('the button is none of ours');
}

function known(incident: string): string {
  if (incidentId.test(incident)) return incident;
  throw new InteractionError('the button names no incident');
}
