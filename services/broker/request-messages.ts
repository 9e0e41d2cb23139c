import { nameRight, type RightKind } from '@tripline/access/people-rights';
import type { Config } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import { inTransaction } from '@tripline/db/transaction';
import { createSlackClient, type SlackReference, type SlackResult } from '@tripline/integrations/slack/client';
import type { SlackMessage } from '@tripline/integrations/slack/message';
import {
  type ReportedRequest,
  renderNumber,
  renderReminder,
  renderRequest,
} from '@tripline/integrations/slack/request-message';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { RequestParts } from './request-step.ts';

type Slack = NonNullable<Config['slack']>;
export type MessageParts = {
  db: Db;
  clock: Clock;
  logger: Logger;
  slack: Slack;
  /** `broker.stepUp.publicUrl`. */
  publicUrl: string | undefined;
  /** For tests. */
  fetch?: Parameters<typeof createSlackClient>[0]['fetch'];
};

const pollMs = 2000;
const atOnce = 20;

/** Says in Slack what people ask for, and what became of it, until `close`. */
export function startRequestMessages(parts: MessageParts): { close: () => Promise<void> } {
  const closing = new AbortController();
  const working = (async () => {
    let isFailing = false;
    while (!closing.signal.aborted) {
      try {
        await sayRequests(parts);
        isFailing = false;
      } catch (error) {
        if (!isFailing) parts.logger.error({ err: error }, 'saying in Slack what people ask for failed; retrying');
        isFailing = true;
      }
      await parts.clock.pause(pollMs, closing.signal);
    }
  })();
  return {
    async close() {
      closing.abort();
      await working;
    },
  };
}

type Posted = SlackReference & { prompt: string | null; state: string };
type Row = {
  id: string;
  kind: RightKind;
  target: string;
  permission: string;
  grantee: string;
  forMs: number;
  reason: string;
  askedBy: { via?: string; id?: string };
  state: ReportedRequest['state'];
  /** The last answer that anybody gave. */
  answered: 'approved' | 'refused' | null;
  answeredBy: string | null;
  answeredAt: Date | null;
  until: Date | null;
  why: string | null;
  message: Posted | null;
  prompt: string | null;
  number: string | null;
};

/** Brings the messages of requests in sync, each by one broker; after a crash one may be posted twice. @returns how many. */
export async function sayRequests(parts: MessageParts): Promise<number> {
  for (let said = 0; ; said += 1) if (said === atOnce || !(await sayOne(parts))) return said;
}

async function sayOne({ db, clock, slack, publicUrl, fetch }: MessageParts): Promise<boolean> {
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<Row>(
      `SELECT q.id, q.kind, q.repository AS target, q.permission, q.grantee, q.for_ms AS "forMs", q.reason, q.asked_by AS "askedBy",
         r.state, r.given_until AS until, r.why, r.message, u.id AS prompt, u.number,
         a.state AS answered, a.answered_by->>'name' AS "answeredBy", a.answered_at AS "answeredAt"
       FROM access_rights r JOIN access_requests q ON q.id = r.request
         LEFT JOIN access_step_ups u ON u.workspace = q.workspace AND u.asked = 'request ' || q.id AND u.state = 'open' AND r.state = 'asked'
         LEFT JOIN LATERAL (SELECT state, answered_by, answered_at FROM access_step_ups
           WHERE workspace = q.workspace AND asked = 'request ' || q.id AND state IN ('approved', 'refused')
           ORDER BY state = 'refused' DESC, answered_at DESC LIMIT 1) a ON true
       WHERE CASE WHEN r.message IS NULL THEN r.state = 'asked' AND u.id IS NOT NULL
         ELSE r.state IN ('given', 'ended', 'denied', 'expired') AND r.message->>'state' <> r.state
           OR r.state = 'given' AND r.message->>'until' <> r.given_until::text
           OR r.state = 'asked' AND u.id IS NOT NULL AND r.message->>'prompt' <> u.id END
         AND q.asked_at > $1 ORDER BY q.asked_at, q.id LIMIT 1 FOR UPDATE OF r SKIP LOCKED`,
      [new Date(clock.nowMs() - 2 * 86_400_000)],
    );
    const [row] = rows;
    if (row === undefined) return false;
    const api = createSlackClient({ ...slack, fetch });
    const message = renderRequest(reportOf(row, publicUrl));
    const sent = row.message === null ? await api.post(message) : await api.update(row.message, message);
    if (sent.outcome.kind === 'retry') throw new Error(`Slack: ${sent.outcome.message ?? sent.outcome.reason}`);
    // What Slack will never take is not tried for ever; the command line shows it.
    const reference = sent.reference ?? row.message ?? { channel: '', ts: '' };
    if (row.number !== null && row.prompt !== row.message?.prompt) await tellNumber(row, { slack, fetch });
    await client.query(
      `UPDATE access_rights SET message = jsonb_build_object('channel', $2::text, 'ts', $3::text, 'prompt', $4::text, 'state', $5::text,
         'until', given_until::text) WHERE request = $1`,
      [row.id, reference.channel, reference.ts, row.prompt ?? row.message?.prompt ?? null, row.state],
    );
    return true;
  });
}

/** By the message to themselves: who asked at the command line sees the number there. */
async function tellNumber({ askedBy, number, ...row }: Row, { slack, fetch }: Pick<MessageParts, 'slack' | 'fetch'>) {
  if (askedBy.via !== 'slack' || askedBy.id === undefined) return;
  const right = nameRight(row.kind, row.permission, row.target);
  await orRetry(createSlackClient({ ...slack, fetch }).tellPerson(askedBy.id, renderNumber({ right }, number!)));
}

/** Reminds whoever has a right: to themselves where `slack.people` names them, else in the channel. */
export function remindInSlack({
  clock,
  slack,
  fetch,
}: Pick<MessageParts, 'clock' | 'slack' | 'fetch'>): NonNullable<RequestParts['remind']> {
  return async ({ id, asked }, untilMs) => {
    const isGrantee = ([, login]: [string, string]) => login.toLowerCase() === asked.grantee.toLowerCase();
    const member = Object.entries(slack.people).find(isGrantee)?.[0];
    const minutes = Math.max(1, Math.round((untilMs - clock.nowMs()) / 60_000));
    const right = nameRight(asked.kind, asked.permission, asked.target);
    const message: SlackMessage = renderReminder({ id, grantee: asked.grantee, right }, minutes);
    const api = createSlackClient({ ...slack, fetch });
    await orRetry(member === undefined ? api.tellChannel(message) : api.tellPerson(member, message));
  };
}

async function orRetry(sending: Promise<SlackResult>): Promise<void> {
  const { outcome } = await sending;
  if (outcome.kind === 'retry') throw new Error(`Slack: ${outcome.message ?? outcome.reason}`);
}

function reportOf(row: Row, publicUrl: string | undefined): ReportedRequest {
  const { id, grantee, forMs, reason, state, why, prompt } = row;
  return {
    ...{ id, grantee, forMs, reason, state, why, right: nameRight(row.kind, row.permission, row.target) },
    answered: row.answered === null ? null : { is: row.answered, by: row.answeredBy, atMs: row.answeredAt!.getTime() },
    until: row.until?.toISOString() ?? null,
    approveAt: prompt === null || publicUrl === undefined ? null : new URL(`/step-up/${prompt}`, publicUrl).href,
  };
}
