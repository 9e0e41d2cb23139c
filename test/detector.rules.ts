import { type Fact, type Observed, thingKey } from '@tripline/contracts/fact';
import { defineRule, type FindingDraft } from '@tripline/contracts/rule';
import { keepBounded, observedBy } from '@tripline/facts/bounds';
import { at, type LoggedEventInput } from '@tripline/testing/timeline/play';
import { z } from 'zod';

/** Small rules that use all that an engine offers, and a log that makes them fire: for tests of the detector alone. */
export const minuteMs = 60_000;
export const startMs = Date.parse('2026-03-01T00:00:00Z');

type Branch = LoggedEventInput<'dev.cdevents.branch.created'>['data'];
const common = {
  title: 'Synthetic',
  description: 'For tests.',
  severity: 'medium',
  confidence: 'high',
  principles: [5],
  attack: ['T1078'],
  owasp: ['CICD-SEC-1'],
  feeds: { needs: ['github'] },
  falseAlarms: [],
  learns: false,
} as const;

function draft(branch: string, user: string, more: Partial<FindingDraft> = {}): FindingDraft {
  return {
    subject: `acme/app@${branch}`,
    title: `Branch ${branch}`,
    summary: 'It should not be.',
    confidence: 'high',
    evidence: [],
    entities: [
      { kind: 'user', id: user },
      { kind: 'repository', id: 'acme/app' },
    ],
    response: [{ action: 'stop-run', provider: 'github', instance: 'github.com', repository: 'acme/app', runId: '1' }],
    remedy: [],
    ...more,
  };
}

/** A branch that nobody deletes within two minutes; a deletion that shows up later takes it back until it is created anew. */
const lingering = defineRule<{ createdMs?: number | undefined; deletedMs?: number | undefined }, { holdMs: number }>({
  ...common,
  id: 'lingering-branch',
  reads: ['dev.cdevents.branch.created', 'dev.cdevents.branch.deleted'],
  settings: z.object({ holdMs: z.number().default(2 * minuteMs) }),
  state: z.object({ createdMs: z.number().optional(), deletedMs: z.number().optional() }),
  keys: (event) => [`branch:${(event.data as Branch)['vcs.ref.head.name']}`],
  judge(event, context) {
    const branch = (event.data as Branch)['vcs.ref.head.name'];
    const key = `branch:${branch}`;
    const isCreated = event.type === 'dev.cdevents.branch.created';
    const happenedMs = Date.parse(event.time);
    const state: { createdMs?: number | undefined; deletedMs?: number | undefined } = isCreated
      ? { createdMs: happenedMs }
      : { ...context.get(key), deletedMs: happenedMs };
    context.set(key, state, 72 * 60 * minuteMs);
    if (state.deletedMs !== undefined) {
      context.clearTimer(branch);
      context.retract({ subject: `acme/app@${branch}`, occasion: 'lingering', reason: 'it was deleted' });
    } else if (state.createdMs !== undefined) {
      context.setTimer({ id: branch, dueMs: state.createdMs + context.settings.holdMs, keys: [key, 'lingered'] });
    }
  },
  due(timer, context) {
    context.set('lingered', { createdMs: timer.dueMs }, minuteMs);
    const decidedBy = { eventId: `created-${timer.id}`, time: new Date(timer.dueMs).toISOString() };
    context.find(draft(timer.id, `user-${timer.id.length}`, { occasion: 'lingering', decidedBy, severity: 'high' }));
  },
});

/** Every third branch that is created; asks about the first. */
const third = defineRule<{ count: number }, unknown>({
  ...common,
  id: 'third-branch',
  reads: ['dev.cdevents.branch.created'],
  settings: z.object({}),
  state: z.object({ count: z.number() }),
  keys: () => ['count'],
  judge(event, context) {
    const branch = (event.data as Branch)['vcs.ref.head.name'];
    const count = (context.get('count')?.count ?? 0) + 1;
    context.set('count', { count }, 60 * minuteMs);
    if (count % 3 === 1) {
      const id = `ask-${branch}`;
      context.lookUp({ id, kind: 'reviews-of-commit', repository: 'acme/app', revision: branch });
    }
    if (count % 3 === 0) context.find(draft(branch, `user-${branch.length}`));
  },
});

/** Throws on a branch named so. */
const throwing = defineRule<unknown, unknown>({
  ...common,
  id: 'throwing',
  reads: ['dev.cdevents.branch.created'],
  settings: z.object({}),
  state: z.unknown(),
  keys: () => ['seen'],
  judge(event, context) {
    context.set('seen', event.id, minuteMs);
    context.find(draft('before it throws', 'nobody'));
    if ((event.data as Branch)['vcs.ref.head.name'] === 'throw')
      throw new Error('this branch is more than I can judge');
    context.retract({ subject: 'acme/app@before it throws', occasion: event.id, reason: 'nothing was thrown' });
  },
});

type Seen = Observed & { by: string; kind: string };
const nameOf = (key: string) => key.slice(key.lastIndexOf(':') + 1);
/** When each branch came and went. */
const branches: Fact<{ seen: readonly Seen[] }> = {
  id: 'branches',
  description: 'For tests.',
  reads: ['dev.cdevents.branch.created', 'dev.cdevents.branch.deleted'],
  value: z.object({ seen: z.array(z.custom<Seen>()) }),
  keys: ({ data }) => [thingKey('github', 'github.com', `1:branch:${(data as Branch)['vcs.ref.head.name']}`)],
  learn(known, event, at) {
    const kind = event.type === 'dev.cdevents.branch.created' ? 'created' : 'deleted';
    const bound = { kind, authorOf: ({ by }: Seen) => by, mostPerAuthor: 6, most: 8 };
    const by = event.id.slice(-1);
    const seen = keepBounded(known?.seen ?? [], { ...observedBy(event), by, kind }, bound, at);
    return seen === known?.seen ? known : { seen };
  },
  keepMs: 100 * 60 * minuteMs,
};

/** A branch without its neighbour, the one with the number before; and one that is still so after half an hour. */
export const lonelyRule = defineRule<unknown, unknown>({
  ...common,
  id: 'lonely-branch',
  reads: [],
  settings: z.object({}),
  concludes: {
    uses: [branches],
    subjects: ({ key }) => [key],
    conclude(subject, { watch, recheckAt, nowMs, explain }) {
      const own = watch(branches, subject)?.seen.at(-1);
      if (own?.kind !== 'created') return [];
      const neighbour = subject.replace(/\d+$/, (digits) => `${Number(digits) - 1}`);
      if (neighbour !== subject && watch(branches, neighbour)?.seen.at(-1)?.kind === 'created') {
        explain('its neighbour is there');
        return [];
      }
      const halfHour = Date.parse(own.time) + 30 * minuteMs;
      recheckAt(halfHour);
      const { trust, by, kind, ...evidence } = own;
      const because = [{ fact: branches, key: subject, trust, evidence: { ...evidence, what: 'it came' } }];
      const { evidence: _, confidence: __, ...told } = draft(nameOf(subject), `user-${by}`, { title: 'Lonely' });
      const isLong = nowMs >= halfHour;
      const found = (occasion: string) => ({ ...told, occasion, because });
      const lonely = { ...found('lonely'), ...(isLong ? { severity: 'high' as const } : {}) };
      return [lonely, ...(isLong ? [found(own.eventId)] : [])];
    },
  },
});

export const rules = [lingering, third] as const;
export const throwingRule = throwing;
export const thirdRule = third;
export const rule = lingering;

export const created = (atMs: number, branch: string, id?: string): LoggedEventInput =>
  at(
    atMs,
    'dev.cdevents.branch.created',
    { 'vcs.repository.name': 'acme/app', 'vcs.ref.head.name': branch },
    id === undefined ? {} : { id },
  );
export const deleted = (atMs: number, branch: string): LoggedEventInput =>
  at(atMs, 'dev.cdevents.branch.deleted', { 'vcs.repository.name': 'acme/app', 'vcs.ref.head.name': branch });

/** A log of `count` events, a minute apart: branches come, some are deleted in time, some too late, some never, and some come anew. */
export function someEvents(count: number): LoggedEventInput[] {
  const events: LoggedEventInput[] = [];
  for (let place = 0; place < count; place += 1) {
    const atMs = startMs + place * minuteMs;
    // Every fifth event deletes a branch of one to six minutes ago; some were deleted before.
    const branch = (of: number) => 'b'.repeat((of % 4) + 1) + of;
    if (place % 8 === 7) events.push(created(atMs, branch(place - 4 - (place % 5))));
    else if (place % 5 === 4) events.push(deleted(atMs, branch(place - 1 - (place % 6))));
    else events.push(created(atMs, branch(place)));
  }
  return events;
}
