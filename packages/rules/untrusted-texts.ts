import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import type { Severity } from '@tripline/contracts/finding';
import { clip } from '@tripline/contracts/text';
import { onceAnEvent } from '@tripline/facts/things';
import { z } from 'zod';
import { shellTextIn, type TextForm } from './shell-text.ts';

/** Where strangers and pushers write, and which field of it holds what a shell would execute. */
const fields = ['ref', 'title', 'body', 'comment', 'message', 'author', 'path', 'page'] as const;
export const injectedSchema = z.object({
  of: z.enum(['change', 'ticket', 'comment', 'push', 'wiki']),
  field: z.enum(fields),
  is: z.enum(['payload', 'code']),
  excerpt: z.string(),
  /** Written by somebody who is nobody of the house, as the provider tells it. */
  isOutsiders: z.boolean(),
  /** What follows the repository's name in the finding's subject: `#7`, `@refs/heads/x`. */
  subject: z.string(),
});
export type Injected = z.infer<typeof injectedSchema>;

export const fieldWords: Record<Injected['field'], string> = {
  ...{ ref: 'the name of a ref', title: 'the title', body: 'the body', comment: 'a comment' },
  ...{ message: 'the message of a commit', author: 'the author of a commit', path: 'the path of a file' },
  page: 'the title of a page',
};

/** What text of an event is of. */
const ofTypes = {
  'dev.cdevents.change.created': 'change',
  'dev.cdevents.change.updated': 'change',
  'dev.cdeventsx.tripline-ref.pushed': 'push',
  'dev.cdevents.ticket.created': 'ticket',
  'dev.cdevents.ticket.updated': 'ticket',
  'dev.cdeventsx.tripline-comment.created': 'comment',
  'dev.cdeventsx.tripline-wiki.changed': 'wiki',
} as const satisfies Partial<Record<EventType, Injected['of']>>;
export const readTypes = Object.keys(ofTypes) as (keyof typeof ofTypes)[];

const ofTheHouse = new Set(['OWNER', 'MEMBER', 'COLLABORATOR']);
type Text = readonly [field: Injected['field'], form: TextForm, text: string | undefined];

/** What an event holds, of several fields the gravest: those that people cannot mean otherwise come first. */
export const injectedIn = onceAnEvent((event): Injected | undefined => {
  const data: Attributes = event.data;
  const of = ofTypes[event.type as keyof typeof ofTypes];
  // An update of a change tells its former title again, whoever sent it.
  const isOld = event.type === 'dev.cdevents.change.updated' && data['tripline.change.action'] !== 'edited';
  const isOwn = isByAuthor(data);
  // What somebody else reopened or transferred its author wrote.
  const isEdited = data['tripline.text.edited'] !== undefined;
  if (isOld || (!isOwn && !isEdited) || data['tripline.ref.deleted'] === true) return undefined;
  const isOutsiders =
    isOwn && of !== 'push' && of !== 'wiki' && !ofTheHouse.has(data['tripline.user.association'] ?? '');
  let code: Injected | undefined;
  for (const [field, form, text] of textsOf(of, data)) {
    const found = text === undefined ? undefined : shellTextIn(text, form);
    if (found === undefined) continue;
    const { is, excerpt } = found;
    const injected = { of, field, is, excerpt: clip(excerpt, 150), isOutsiders, subject: subjectOf(event, of) };
    if (is === 'payload') return injected;
    code ??= injected;
  }
  return code;
});

/** The association, and what is not edited, is the author's; whoever sent the event may be somebody of the house. */
function isByAuthor(data: Attributes): boolean {
  const { 'user.id': sender, 'tripline.change.author_id': ofChange, 'tripline.text.author_id': ofText } = data;
  const author = ofText ?? ofChange;
  return author === undefined || sender === undefined || author === sender;
}

function* textsOf(of: Injected['of'], data: Attributes): Generator<Text> {
  // A comment tells the title that it is beneath, of somebody else.
  if (of === 'comment') return yield ['comment', 'body', data['tripline.text.body']];
  const edited = data['tripline.text.edited'];
  if (edited !== undefined) {
    if (edited.includes('title')) yield ['title', 'title', data['vcs.change.title'] ?? data['tripline.ticket.title']];
    if (edited.includes('body')) yield ['body', 'body', data['tripline.text.body']];
    return;
  }
  yield ['ref', 'ref', data['vcs.ref.head.name']];
  yield ['title', 'title', data['vcs.change.title'] ?? data['tripline.ticket.title']];
  for (const { title } of data['tripline.wiki.pages'] ?? []) yield ['page', 'title', title];
  // The newest: what an expression reads of a push is its head.
  for (const { author, authorEmail, ciPaths, message } of data['tripline.push.commits']?.slice(-50) ?? []) {
    yield ['author', 'name', author];
    yield ['author', 'name', authorEmail];
    for (const path of ciPaths) yield ['path', 'ref', path];
    yield ['message', 'message', message];
  }
  yield ['body', 'body', data['tripline.text.body']];
}

function subjectOf({ data }: LoggedEvent, of: Injected['of']): string {
  const { 'vcs.change.id': change, 'tripline.ticket.id': ticket, 'vcs.ref.head.name': ref }: Attributes = data;
  if (of === 'wiki') return ' (wiki)';
  const type = data['vcs.ref.head.type'] === 'tag' ? 'tags' : 'heads';
  if (of === 'push') return `@refs/${type}/${clip(ref ?? '', 200)}`;
  const number = change ?? ticket;
  return number === undefined ? ' (comments on commits)' : `#${number}`;
}

/** `runsFor`: whether a workflow was seen to run with the repository's rights for such text. */
export function severityOf({ of, field, is, isOutsiders }: Injected, runsFor: boolean): Severity {
  if (field === 'message') return 'low';
  // Who may write talks of code, and has shorter ways to have it run.
  if (of !== 'push' && of !== 'wiki' && !isOutsiders && field !== 'ref') return 'low';
  if (field === 'body' || field === 'comment') return runsFor ? 'medium' : 'low';
  if (is === 'payload') return runsFor ? 'high' : 'medium';
  return runsFor ? 'medium' : 'low';
}
