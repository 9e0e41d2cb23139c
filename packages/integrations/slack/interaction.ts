import { createHmac, timingSafeEqual } from 'node:crypto';
import { redactText } from '@tripline/runtime/redact';
import { z } from 'zod';

/** Ids of the buttons of a message; they come back when one is pressed. */
export const actionIds = {
  acknowledge: 'tripline.acknowledge',
  resolve: 'tripline.resolve',
  falsePositive: 'tripline.false-positive',
  /** Of what a person asks the broker for: takes it back, or opens the page on which it is approved. */
  endAccess: 'tripline.access.end',
  openAccess: 'tripline.access.open',
} as const;

/** Ids within the form that asks for a reason. */
export const reasonForm = { callback: 'tripline.reason', block: 'reason', input: 'text', most: 500 } as const;

/** Where and by whom something was pressed, as Slack says; none of it is checked yet. */
export type Press = {
  /** Id of the Slack workspace. */
  team: string;
  /** Id of the app that posted the button. */
  app: string;
  /** Id of the message's channel. */
  channel: string;
  /**
   * The person who pressed: `id` is assigned by Slack and identifies them; `name` is their own choice, and proves
   * nothing.
   */
  user: { id: string; name: string };
  incident: string;
};

/** Resolutions that somebody must give a reason for. */
export const reasoned = ['false', 'accepted'] as const;
export type ReasonedResolution = (typeof reasoned)[number];

/** What somebody asked for: by a button, or by the form that asks for a reason. `ask`: the form is to be shown. */
export type Interaction = Press &
  (
    | { verb: 'acknowledge' }
    | { verb: 'resolve'; resolution: 'true' }
    | { verb: 'ask'; resolution: ReasonedResolution; trigger: string }
    | { verb: 'resolve'; resolution: ReasonedResolution; reason: string }
  );

/** Somebody pressed a button of what a person asked the broker for. `open`: Slack opened a page, and nothing is to be done. */
export type AccessPress = Pick<Press, 'team' | 'app' | 'channel' | 'user'> &
  ({ verb: 'end-access'; request: string } | { verb: 'open' });

/** How far a request's time may be from ours; Slack's own advice. */
const maxSkewS = 300;

/**
 * Whether Slack signed these bytes within the last five minutes: `v0=` HMAC-SHA256 of `v0:<timestamp>:<body>`.
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

/**
 * The request is not an interaction with a message of Tripline's. The message says why, and quotes nothing of the
 * request.
 */
export class InteractionError extends Error {
  readonly code = 'SLACK_INTERACTION';
}

const slackId = z.string().regex(/^[A-Z][A-Z0-9]{0,39}$/);
const common = {
  team: z.object({ id: slackId }),
  api_app_id: slackId,
  user: z.object({
    id: slackId,
    username: z.string().max(200).optional(),
    name: z.string().max(200).optional(),
  }),
};
const pressSchema = z.object({
  type: z.literal('block_actions'),
  ...common,
  channel: z.object({ id: slackId }),
  trigger_id: z.string().min(1).max(200),
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
const submissionSchema = z.object({
  type: z.literal('view_submission'),
  ...common,
  view: z.object({
    callback_id: z.literal(reasonForm.callback),
    private_metadata: z.string().max(200),
    state: z.object({
      values: z.object({
        [reasonForm.block]: z.object({ [reasonForm.input]: z.object({ value: z.string().max(3000).nullish() }) }),
      }),
    }),
  }),
});
const payloadSchema = z.discriminatedUnion('type', [pressSchema, submissionSchema]);
const incidentId = /^INC-[0-9]{1,15}$/;

/** Reads the urlencoded body of a verified request. @throws {InteractionError} */
export function parseInteraction(body: Buffer): Interaction | AccessPress {
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
    throw new InteractionError(
      `the payload is no press of a button or form: ${path || 'its top'} is not as it should be`,
    );
  }
  const { data } = parsed;
  // People choose their names: what looks like a credential in one is replaced by its hash, as everywhere.
  const name = redactText(data.user.username ?? data.user.name ?? data.user.id);
  const from = { team: data.team.id, app: data.api_app_id, user: { id: data.user.id, name } };
  if (data.type === 'view_submission') {
    const [resolution, incident = '', channel = ''] = data.view.private_metadata.split(' ');
    if (!isReasoned(resolution)) throw new InteractionError('the form is none of ours');
    const reason = redactText(data.view.state.values[reasonForm.block]?.[reasonForm.input]?.value ?? '').trim();
    return { ...from, channel, incident: known(incident), verb: 'resolve', resolution, reason };
  }
  const press = { ...from, channel: data.channel.id };
  const { action_id, value = '', selected_option } = data.actions[0]!;
  const ask = (resolution: ReasonedResolution, incident: string) =>
    ({ ...press, incident: known(incident), verb: 'ask', resolution, trigger: data.trigger_id }) as const;
  if (action_id === actionIds.openAccess) return { ...press, verb: 'open' };
  if (action_id === actionIds.endAccess) {
    if (!/^ask-[\w-]{1,64}$/.test(value)) throw new InteractionError('the button names no request');
    return { ...press, verb: 'end-access', request: value };
  }
  if (action_id === actionIds.acknowledge) return { ...press, incident: known(value), verb: 'acknowledge' };
  if (action_id === actionIds.falsePositive) return ask('false', value);
  if (action_id === actionIds.resolve) {
    const [resolution, incident = ''] = (selected_option?.value ?? '').split(' ');
    if (resolution === 'true') return { ...press, incident: known(incident), verb: 'resolve', resolution };
    if (resolution === 'accepted') return ask(resolution, incident);
    throw new InteractionError('the option is none of those offered');
  }
  throw new InteractionError('the button is none of ours');
}

function isReasoned(resolution: string | undefined): resolution is ReasonedResolution {
  return reasoned.some((one) => one === resolution);
}

/** Private metadata of the form; Slack returns it unchanged with the submission, and does not show it. */
export function formMetadata({ incident, channel }: Press, resolution: ReasonedResolution): string {
  return `${resolution} ${incident} ${channel}`;
}

function known(incident: string): string {
  if (incidentId.test(incident)) return incident;
  throw new InteractionError('the button names no incident');
}
