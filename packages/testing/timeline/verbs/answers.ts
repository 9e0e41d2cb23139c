import type { Stage } from '../stage.ts';
import { type Said, verb } from '../verb.ts';

/** What the provider's API answered to a question about a commit, as the detector's worker puts it into the log. */
export const answers = [
  verb('cannot ask about {commit} in {repository}', (said, stage) => {
    stage.feed('dev.cdeventsx.tripline-change.looked-up', {
      ...questionOf(said, stage),
      'tripline.lookup.outcome': 'unavailable',
    });
  }),
  /**
   * Options: `verified`, `committed by <login>`, `authored by <login>`, `parents <commit>, <commit>` of the commit; `change
   * #12` that holds it, as a line before opened it, with `merged as <commit>`, `merged by <login>`, `into <base>`, `listing
   * <commit>, <commit>` (`u<h+b` is a merge of h and b that GitHub made), `approved by <login>`, `at <commit>`,
   * `association <GitHub's word>`, `permission <GitHub's word>`, `approved at <HH:MM:SS>`.
   */
  verb('answers about {commit} in {repository}', (said, stage) => {
    stage.feed('dev.cdeventsx.tripline-change.looked-up', {
      ...questionOf(said, stage),
      'tripline.lookup.outcome': 'found',
      'tripline.lookup.commit': {
        revision: stage.revision(said.the('commit')),
        parents: listed(said.option('parents')).map(stage.revision),
        ...authorOf(said.option('authored by') ?? 'nobody', stage),
        committer: said.option('committed by') ?? '',
        verified: said.option('verified') !== undefined,
      },
      'tripline.lookup.changes': changesOf(said, stage),
    });
  }),
];

type Opened = { author: string; head: string; base: string; branch: string; fork?: string };

function questionOf(said: Said, stage: Stage) {
  const repository = stage.repository(said.the('repository'));
  return {
    ...{ 'vcs.provider.name': 'github' as const, 'vcs.repository.name': repository.full_name },
    ...{ 'vcs.repository.id': String(repository.id), 'vcs.ref.head.revision': stage.revision(said.the('commit')) },
    'tripline.lookup.id': `about ${said.the('commit')}`,
  };
}

function changesOf(said: Said, stage: Stage) {
  const number = said.option('change')?.replace('#', '');
  if (number === undefined) return [];
  const opened = stage.kept<Opened>(`change ${said.the('repository')} ${number}`);
  if (opened === undefined) throw new Error(`nobody has opened #${number}`);
  const reviewer = said.option('approved by');
  const merge = said.option('merged as');
  const by = said.option('merged by') ?? opened.author;
  const permission = said.option('permission');
  const head = stage.revision(opened.head);
  const review = reviewer && {
    ...{ id: `review by ${reviewer}`, author: reviewer, authorId: String(stage.id('user', reviewer)) },
    ...{ authorType: 'User', state: 'approved', revision: stage.revision(said.option('at') ?? opened.head) },
    association: said.option('association') ?? 'MEMBER',
    ...(permission === undefined ? {} : { permission }),
    submittedAt: `2026-03-11T${said.option('approved at') ?? '09:00:00'}.000Z`,
  };
  const listing = said.option('listing');
  const place = `merged change ${said.the('repository')} ${number}`;
  const mergedAt = stage.kept<string>(place) ?? stage.time();
  return [
    {
      id: number,
      state: merge === undefined ? ('open' as const) : ('merged' as const),
      ...{ author: opened.author, authorId: String(stage.id('user', opened.author)) },
      ...{ headRevision: head, headName: opened.branch, fork: opened.fork !== undefined },
      ...(merge === undefined ? {} : { mergeRevision: stage.revision(merge), mergedAt }),
      ...(merge === undefined ? {} : { mergedBy: by, mergedById: String(stage.id('user', by)) }),
      baseName: said.option('into') ?? opened.base,
      ...(listing === undefined
        ? {}
        : { commits: listed(listing).map((one) => commitOf(one, opened.author, by, stage)) }),
      reviews: review ? [review] : [],
    },
  ];
}

/** An update merge is whoever's who asked GitHub for it: here the merger's. */
function commitOf(written: string, author: string, merger: string, stage: Stage) {
  const [name = '', parents] = written.split('<');
  return {
    revision: stage.revision(name),
    parents: (parents?.split('+') ?? []).map(stage.revision),
    ...authorOf(parents === undefined ? author : merger, stage),
    committer: parents === undefined ? author : 'web-flow',
    verified: parents !== undefined,
  };
}

const listed = (text: string | undefined) => text?.split(',').map((one) => one.trim()) ?? [];
const authorOf = (login: string, stage: Stage) => {
  const { id, type } = stage.user(login);
  return { author: login, authorId: String(id), authorType: type };
};
