import { type Answered, answeredLine } from './answered.ts';
import type { Block, SlackMessage } from './message.ts';
import { escapeCode, escapeLine, link } from './text.ts';

/** That somebody is asked to stand for a run, or what else waits on them. Texts may be a stranger's. */
export type Ask = {
  repository: string;
  run: { id: string; attempt: number };
  sha: string;
  environment: string | null;
  policy: string;
  /** Login of whoever set the run off. */
  setOffBy: string;
  /** Where it is answered. */
  url: string;
  /** Logins of those who are asked. */
  people: readonly string[];
};

/** Who reads it: one of those who are asked, by their id at Slack, or a channel, where `mentions` are those whose ids are known. */
export type AskedAt = { kind: 'person' } | { kind: 'channel'; mentions: readonly string[] };

/**
 * Says what waits, and where it is answered. The number that is typed there is not in it, and must never be: whoever started the
 * run reads that in its log, so that nobody approves what they did not start because a message asks for it.
 */
export function renderAsk(ask: Ask, at: AskedAt): SlackMessage {
  const { repository, url } = ask;
  const lines = [`${whomOf(ask, at)}: a run waits for your second factor. ${link(url, 'Open it')}`, ...linesOf(ask)];
  const quiet =
    'The page asks for the four digits that stand in the job’s log. You did not start it, or do not see them? Open it, and say that it was not you.';
  const text = `A run of ${escapeLine(repository, 120)} waits for your second factor`;
  return { text, blocks: [section(lines.join('\n')), context(quiet)] };
}

/** The same message once nobody is asked any more: what it was about, and what became of it, without a link. */
export function renderAnswered(ask: Ask, answered: Answered): SlackMessage {
  const text = `A run of ${escapeLine(ask.repository, 120)} waits for no second factor any more`;
  return { text, blocks: [section([answeredLine(answered), ...linesOf(ask)].join('\n'))] };
}

function linesOf({ repository, run, sha, environment, policy, setOffBy }: Ask): string[] {
  const code = (text: string, max: number) => `\`${escapeCode(text, max)}\``;
  const where = environment === null ? 'no environment' : `environment ${code(environment, 200)}`;
  return [
    `${code(repository, 300)} run ${escapeLine(run.id, 40)}, attempt ${run.attempt}, commit ${code(sha.slice(0, 12), 12)}, ${where}`,
    `Policy ${code(policy, 200)}, set off by ${code(setOffBy, 100)}`,
  ];
}

/** Mentions are ids at Slack, which settings hold; logins are text. */
function whomOf({ people }: Ask, at: AskedAt): string {
  if (at.kind === 'person') return 'You are asked';
  const ids = at.mentions.filter((id) => /^[UW][A-Z0-9]{0,39}$/.test(id)).map((id) => `<@${id}>`);
  const names = people.map((name) => `\`${escapeCode(name, 100)}\``);
  return [...ids, ...(ids.length === 0 ? names : [])].slice(0, 20).join(', ') || 'Whoever is asked';
}

const section = (text: string): Block => ({ type: 'section', text: { type: 'mrkdwn', text, verbatim: true } });
const context = (text: string): Block => ({ type: 'context', elements: [{ type: 'mrkdwn', text, verbatim: true }] });
