import type { Stage } from '../stage.ts';
import { type Said, verb } from '../verb.ts';

/**
 * Tickets (issues), as `#7`, and comments on them. Options: `titled <title>`, `saying <text>`, `association <GitHub's word>`;
 * NONE unless told otherwise.
 */
export const tickets = [
  verb('writes ticket {ticket} in {repository}', (said, stage) => {
    const issue = { ...ticketOf(said, stage), body: said.option('saying') ?? null };
    stage.github('issues', said.who, { action: 'opened', issue, repository: stage.repository(said.the('repository')) });
  }),
  /** The title alone. Option: `of <who wrote it>`. */
  verb('edits ticket {ticket} in {repository}', (said, stage) => {
    const issue = { ...ticketOf(said, stage), user: stage.user(said.option('of') ?? said.who), body: null };
    const repository = stage.repository(said.the('repository'));
    stage.github('issues', said.who, { action: 'edited', issue, repository, changes: { title: { from: 'Ticket' } } });
  }),
  /** Option: `of <who wrote it>`. */
  verb('reopens ticket {ticket} in {repository}', (said, stage) => {
    const issue = { ...ticketOf(said, stage), user: stage.user(said.option('of') ?? said.who), body: null };
    stage.github('issues', said.who, {
      action: 'reopened',
      issue,
      repository: stage.repository(said.the('repository')),
    });
  }),
  verb('comments on ticket {ticket} in {repository}', (said, stage) => {
    const { author_association, ...issue } = ticketOf(said, stage);
    const id = stage.id('comment', `${said.the('ticket')} ${said.who} ${said.atMs}`);
    const comment = {
      ...{ id, body: said.option('saying') ?? 'I see.', user: stage.user(said.who), author_association },
      ...{ created_at: stage.time(), updated_at: stage.time() },
    };
    const repository = stage.repository(said.the('repository'));
    stage.github('issue_comment', said.who, { action: 'created', issue, comment, repository });
  }),
];

function ticketOf(said: Said, stage: Stage) {
  const number = Number(said.the('ticket').replace('#', ''));
  return {
    ...{ number, title: said.option('titled') ?? `Ticket ${number}`, user: stage.user(said.who) },
    ...{ author_association: said.option('association') ?? 'NONE', html_url: `https://github.com/issues/${number}` },
    ...{ created_at: stage.time(), updated_at: stage.time() },
  };
}
