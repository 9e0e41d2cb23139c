import type { Db } from '@tripline/db/database';
import { type Ask, renderAnswered, renderAsk } from '@tripline/integrations/slack/ask';
import type { SlackClient, SlackDirect, SlackResult } from '@tripline/integrations/slack/client';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { addAsks, keepMessage, noteShown, type ReadAsk, readAsk, readStale } from './store/asks.ts';

type Slack = {
  people: Readonly<Record<string, string>>;
  direct: SlackDirect & Pick<SlackClient, 'update'>;
};
export type AskParts = {
  db: Db;
  clock: Clock;
  logger: Logger;
  /** Absent: Slack is not configured, and nobody is written to. */
  slack: Slack | undefined;
};

const channel = 'channel';
/** What the queue says of a prompt that is over, or may be: the broker of one that was answered, we of one whose time is up. */
const ends: ReadonlySet<string> = new Set(['answered', 'expired']);

/**
 * Writes to whoever is asked for a second factor: to each whom `slack.people` knows by themselves, of the others in the channel; and has
 * what was written say what became of it, once it is answered or has expired. `item` of the queue is a prompt, or a prompt and to
 * whom, or a prompt and how it ended. After a crash somebody may be written to twice.
 */
export async function tellAsked(parts: AskParts, item: string): Promise<void> {
  const { db, clock, logger, slack } = parts;
  const [id = '', to] = item.split(' ');
  const ask = await readAsk(db, id, clock.nowMs());
  if (ask === undefined || ask.link === null || ask.shown.run === undefined) return;
  if (slack === undefined) return logger.debug({ stepUp: id }, 'Slack is not configured; nobody is written to');
  if (to !== undefined && ends.has(to)) return showEnd(parts, slack, id, to === 'expired' ? expired(ask) : ask);
  // Answered meanwhile, or too old to be.
  if (ask.state !== 'open') return;
  const known = membersOf(ask, slack.people);
  if (to === undefined) {
    const isAllKnown = ask.shown.asked.people.length === known.length && known.length > 0;
    return addAsks(db, [...known.map(({ member }) => `${id} ${member}`), ...(isAllKnown ? [] : [`${id} ${channel}`])]);
  }
  const said = contentOf(ask, ask.link);
  if (to === channel) {
    const mentions = known.map(({ member }) => member);
    const sent = await slack.direct.tellChannel(renderAsk(said, { kind: 'channel', mentions }));
    if (sent.outcome.kind !== 'done')
      throw new Error(`telling the channel of a prompt failed: ${sent.outcome.message ?? sent.outcome.reason}`);
    return keep(parts, slack, id, sent);
  }
  const sent = await slack.direct.tellPerson(to, renderAsk(said, { kind: 'person' }));
  const { outcome } = sent;
  if (outcome.kind === 'done') return keep(parts, slack, id, sent);
  if (outcome.kind === 'retry') throw new Error(`writing to somebody who is asked failed: ${outcome.message}`);
  logger.warn(
    { stepUp: id, reason: outcome.reason },
    'Slack lets nobody write to whoever is asked; telling the channel',
  );
  await addAsks(db, [`${id} ${channel}`]);
}

/** Keeps where it was written. What was answered as it was sent found nothing to change, so that is looked at again. */
async function keep(parts: AskParts, slack: Slack, id: string, { reference }: SlackResult): Promise<void> {
  const { db, clock } = parts;
  const ask = await readAsk(db, id, clock.nowMs());
  if (ask === undefined || reference === undefined) return;
  await keepMessage(db, id, reference, ask);
  const now = await readAsk(db, id, clock.nowMs());
  if (now !== undefined && now.state !== 'open') await showEnd(parts, slack, id, now);
}

/** Its time is up by the database's clock, whatever ours says. */
const expired = (ask: ReadAsk): ReadAsk => (ask.state === 'open' ? { ...ask, state: 'closed' } : ask);

/** Has each message of a prompt say what became of it, in the place of the link. */
async function showEnd({ db, clock, logger }: AskParts, slack: Slack, id: string, ask: ReadAsk): Promise<void> {
  const { state, answeredBy, answeredAt, expiresAt } = ask;
  if (state === 'open') return;
  const atMs = answeredAt?.getTime() ?? Math.min(clock.nowMs(), expiresAt.getTime());
  const message = renderAnswered(contentOf(ask, ask.link!), { is: state, by: answeredBy, atMs });
  for (const reference of await readStale(db, id, state)) {
    const { outcome } = await slack.direct.update(reference, message);
    if (outcome.kind === 'retry') throw new Error(`changing a message of a prompt failed: ${outcome.message}`);
    // A message that somebody deleted asks nobody any more.
    if (outcome.kind === 'give-up')
      logger.warn({ stepUp: id, reason: outcome.reason }, 'Slack lets nobody change a message of a prompt; leaving it');
    await noteShown(db, reference, state);
  }
}

/** Logins are compared as GitHub does: without regard to case. */
function membersOf({ shown }: ReadAsk, people: Readonly<Record<string, string>>): { member: string; login: string }[] {
  const logins = new Set(shown.asked.people.map(({ name }) => name.toLowerCase()));
  return Object.entries(people)
    .map(([member, login]) => ({ member, login: login.toLowerCase() }))
    .filter(({ login }, place, all) => logins.has(login) && all.findIndex((one) => one.login === login) === place);
}

const contentOf = ({ shown }: ReadAsk, url: string): Ask => ({
  ...{ repository: shown.repository.name, run: shown.run!, sha: shown.sha, environment: shown.environment },
  ...{ policy: shown.policy, setOffBy: shown.actor.name, url, people: shown.asked.people.map(({ name }) => name) },
});
