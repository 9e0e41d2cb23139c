import type { Db } from '@tripline/db/database';
import { renderAsk } from '@tripline/integrations/slack/ask';
import type { SlackDirect } from '@tripline/integrations/slack/client';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { addAsks, type ReadAsk, readAsk } from './store/asks.ts';

export type AskParts = {
  db: Db;
  clock: Clock;
  logger: Logger;
  /** Absent: Slack is not configured, and nobody is written to. */
  slack: { people: Readonly<Record<string, string>>; direct: SlackDirect } | undefined;
};

const channel = 'channel';

/**
 * Writes to whoever is asked for a second factor: to each whom `slack.people` knows by themselves, of the others in the channel.
 * `item` of the queue is a prompt, or a prompt and to whom. After a crash somebody may be written to twice.
 */
export async function tellAsked(parts: AskParts, item: string): Promise<void> {
  const { db, clock, logger, slack } = parts;
  const [id = '', to] = item.split(' ');
  const ask = await readAsk(db, id, clock.nowMs());
  // Answered meanwhile, or too old to be.
  if (ask?.isOpen !== true || ask.link === null || ask.shown.run === undefined) return;
  if (slack === undefined) return logger.debug({ stepUp: id }, 'Slack is not configured; nobody is written to');
  const known = membersOf(ask, slack.people);
  if (to === undefined) {
    const isAllKnown = ask.shown.asked.people.length === known.length && known.length > 0;
    return addAsks(db, [...known.map(({ member }) => `${id} ${member}`), ...(isAllKnown ? [] : [`${id} ${channel}`])]);
  }
  const said = contentOf(ask, ask.link);
  if (to === channel) {
    const outcome = await slack.direct.tellChannel(
      renderAsk(said, { kind: 'channel', mentions: known.map(({ member }) => member) }),
    );
    if (outcome.kind !== 'done')
      throw new Error(`telling the channel of a prompt failed: ${outcome.message ?? outcome.reason}`);
    return;
  }
  const outcome = await slack.direct.tellPerson(to, renderAsk(said, { kind: 'person' }));
  if (outcome.kind === 'done') return;
  if (outcome.kind === 'retry') throw new Error(`writing to somebody who is asked failed: ${outcome.message}`);
  logger.warn(
    { stepUp: id, reason: outcome.reason },
    'Slack lets nobody write to whoever is asked; telling the channel',
  );
  await addAsks(db, [`${id} ${channel}`]);
}

/** Logins are compared as GitHub does: without regard to case. */
function membersOf({ shown }: ReadAsk, people: Readonly<Record<string, string>>): { member: string; login: string }[] {
  const logins = new Set(shown.asked.people.map(({ name }) => name.toLowerCase()));
  return Object.entries(people)
    .map(([member, login]) => ({ member, login: login.toLowerCase() }))
    .filter(({ login }, place, all) => logins.has(login) && all.findIndex((one) => one.login === login) === place);
}

const contentOf = ({ shown }: ReadAsk, url: string) => ({
  ...{ repository: shown.repository.name, run: shown.run!, sha: shown.sha, environment: shown.environment },
  ...{ policy: shown.policy, setOffBy: shown.actor.name, url, people: shown.asked.people.map(({ name }) => name) },
});
