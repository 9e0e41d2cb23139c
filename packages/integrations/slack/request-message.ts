import { type Answered, answeredLine } from './answered.ts';
import { actionIds } from './interaction.ts';
import type { Block, SlackMessage } from './message.ts';
import { escapeCode, escapeLine, link } from './text.ts';

/** A request of a person, as Slack shows it. Texts are as people wrote them. */
export type ReportedRequest = {
  id: string;
  grantee: string;
  /** `maintain on acme/api`. */
  right: string;
  forMs: number;
  reason: string;
  state: 'asked' | 'given' | 'ended' | 'denied' | 'expired';
  /** Who answered, and when; null where nobody did. */
  answered: Answered | null;
  /** Until when they have it, RFC 3339. */
  until: string | null;
  why: string | null;
  /** Where it is approved; null where that is not known. */
  approveAt: string | null;
};

const marks: Record<ReportedRequest['state'], string> = {
  ...{ asked: '🔑', given: '🟢', ended: '⚪', denied: '⛔', expired: '⚪' },
};

/** A request as one message: who wants what, why, and what became of it. Approving is a link, since a click proves no second factor. */
export function renderRequest(request: ReportedRequest): SlackMessage {
  const { id, grantee, right, forMs, reason, state, approveAt } = request;
  const minutes = Math.round(forMs / 60_000);
  const who = `${escapeLine(grantee, 100)}: ${escapeLine(right, 400)} for ${minutes} min`;
  const section: Block = {
    type: 'section',
    text: {
      ...{ type: 'mrkdwn', verbatim: true },
      text: `${marks[state]} *${who}*\n${escapeLine(reason, 1500)}\n${outcomeOf(request)}`,
    },
  };
  const buttons =
    state === 'asked'
      ? [...(approveAt === null ? [] : [openButton(approveAt)]), button(actionIds.endAccess, 'Deny', id)]
      : state === 'given'
        ? [button(actionIds.endAccess, 'End it now', id)]
        : [];
  return {
    text: `${who} (${state})`,
    blocks: [section, ...(buttons.length === 0 ? [] : [{ type: 'actions' as const, elements: buttons }])],
  };
}

function outcomeOf({ id, state, answered, until, why, approveAt }: ReportedRequest): string {
  const said = why === null ? '' : ` (${escapeLine(why, 500)})`;
  switch (state) {
    case 'asked':
      return `Somebody else approves it${approveAt === null ? '' : ` ${link(approveAt, 'on its page')}`}, with a second factor and the number that whoever asked tells them. \`${escapeCode(id, 100)}\``;
    case 'given':
      return `${answered === null ? 'Given' : answeredLine(answered)}; it ends at ${until?.slice(11, 16) ?? 'its time'} UTC. \`${escapeCode(id, 100)}\``;
    case 'ended':
      return `It has ended${said}.`;
    case 'denied':
      return answered?.is === 'refused' ? `${answeredLine(answered)}.` : `Denied${said}.`;
    case 'expired':
      return 'Nobody approved it within an hour.';
  }
}

/** To whoever asked, and nobody else: without it nobody can approve. */
export function renderNumber({ right }: Pick<ReportedRequest, 'right'>, number: string): SlackMessage {
  const text = `The number for ${escapeLine(right, 400)} is *${escapeLine(number, 10)}*. Tell it to whoever approves, in person or on a call.`;
  return {
    text: text.replaceAll('*', ''),
    blocks: [{ type: 'section', text: { type: 'mrkdwn', verbatim: true, text } }],
  };
}

/** To whoever has it, some minutes before it ends. */
export function renderReminder(
  { id, grantee, right }: Pick<ReportedRequest, 'id' | 'grantee' | 'right'>,
  minutes: number,
): SlackMessage {
  const what = `${escapeLine(grantee, 100)}: ${escapeLine(right, 400)} ends in ${minutes} min`;
  const how = `\`/tripline extend ${escapeCode(id, 100)} --for 20m --reason …\` asks for more, which somebody else approves again.`;
  return {
    text: what,
    blocks: [
      { type: 'section', text: { type: 'mrkdwn', verbatim: true, text: `⏳ *${what}*\n${how}` } },
      { type: 'actions', elements: [button(actionIds.endAccess, 'End it now', id)] },
    ],
  };
}

const plainText = (text: string) => ({ type: 'plain_text', text, emoji: false });
const button = (action: string, text: string, value: string) => ({
  ...{ type: 'button', action_id: action, text: plainText(text), value },
});
/** Slack opens it in the browser, and tells of the press, too. */
const openButton = (url: string) => ({
  ...{ type: 'button', action_id: actionIds.openAccess, text: plainText('Approve'), url, style: 'primary' },
});
