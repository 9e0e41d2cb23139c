import type { TriplineEvent } from '@tripline/contracts/event';
import { type Act, createAuditStream, recordOf } from './audit-stream.ts';
import { actsOf } from './audited.ts';
import { accountOf, type CommitOf, type Json, repositoryBody } from './bodies.ts';
import type { Chance } from './chance.ts';
import type { Organisation, Person, Repository } from './organisation.ts';

export const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000];

/** A delivery of GitHub's, unsigned: a webhook's, or a body of the audit log's stream. */
export type Delivery = (
  | { feed: 'github'; event: string; id: string; body: Buffer }
  | { feed: 'github-audit'; body: Buffer }
  /** What Tripline itself says: of an act of a person on it, or as its broker. */
  | { feed: 'own'; event: TriplineEvent }
) & {
  /** Of a breach. */
  isHidden?: true;
};

/** A change as the provider's API would tell of it afterwards. */
export type Change = {
  number: number;
  author: Person;
  head: string;
  branch: string;
  commits: CommitOf[];
  state: 'open' | 'merged';
  merged?: { by: Person; revision: string; atMs: number };
  reviews: { id: number; by: Person; state: 'APPROVED' | 'COMMENTED'; revision: string; atMs: number }[];
};
/** A commit, and by which changes it came in. */
export type Known = { commit: CommitOf; parents: string[]; repository: Repository; changes: Change[] };

/**
 * The month as it goes by: what happens is told in the order of its time, and what follows from it is set for later. Nothing
 * is told of what happened before the month began; of that, the API alone knows.
 */
export type World = ReturnType<typeof createWorld>;

export function createWorld(of: {
  chance: Chance;
  organisation: Organisation;
  startMs: number;
  endMs: number;
  /** Where a delivery goes, when it is received. */
  receive: (delivery: Delivery, receivedAtMs: number) => void;
}) {
  const { chance, organisation, startMs, endMs, receive } = of;
  const agenda = createAgenda();
  const counts = new Map<string, number>();
  const commits = new Map<string, Known>();
  let nowMs = Number.NEGATIVE_INFINITY;
  const records = new Map<string, number>();
  const meant = new Map<string, string>();
  let outage = { fromMs: Number.POSITIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };
  const at = (ms: number, what: () => void) => agenda.add(Math.max(ms, nowMs), what);
  const isIn = () => nowMs >= startMs && nowMs < endMs;
  const more = (map: Map<string, number>, label: string, many: number) => map.set(label, (map.get(label) ?? 0) + many);
  const stream = createAuditStream({
    ...{ chance, at },
    now: () => nowMs,
    send: ({ body }) => receive({ feed: 'github-audit', body }, nowMs),
  });

  /** Has the audit log tell an act now; answers the id of its event. */
  function record(act: Act): string | undefined {
    if (!isIn()) return undefined;
    const made = recordOf({ organisation, chance }, act, nowMs);
    stream.add(made);
    more(records, act.action, 1);
    if (stream.isBroken()) more(counts, 'audit records kept by an outage', 1);
    return `github-audit:${made['_document_id']}`;
  }

  return {
    ...{ chance, organisation, startMs, endMs, commits, counts, records, at, record },
    /** Events of acts that are no attack and that somebody should hear of all the same, by id: which kind of act. */
    meant,
    /** From when to when the audit log sends nothing; it does so afterwards. */
    breakStreamDown: stream.breakDown,
    now: () => nowMs,
    time: (ms = nowMs) => new Date(ms).toISOString().replace('.000Z', 'Z'),
    /** How often something happened that the month is asked to hold: only what is told. */
    count(label: string, many = 1): void {
      if (isIn()) more(counts, label, many);
    },
    /** Has GitHub make a delivery now, and its audit log tell the same act, where it tells such; answers the ids of both events. */
    tell(event: string, by: Person, repository: Repository | null, body: Json): string[] {
      if (!isIn()) return [];
      const recorded = actsOf({ chance, organisation, event, by, repository, body }).map((act) => record(act));
      const whole = {
        ...body,
        ...(repository === null ? {} : { repository: repositoryBody(organisation, repository, nowMs) }),
        organization: { login: organisation.login, id: organisation.id },
        sender: accountOf(by),
      };
      const id = `month-${chance.serial()}`;
      const delivery = { feed: 'github', event, id, body: Buffer.from(JSON.stringify(whole)) } as const;
      const isAway = nowMs >= outage.fromMs && nowMs < outage.toMs;
      // Most come within a second or two; a few are late; what an outage kept comes afterwards, in any order.
      const lagMs = isAway
        ? outage.toMs - nowMs + chance.upTo(3 * hourMs)
        : chance.percent(1)
          ? chance.upTo(60_000)
          : 300 + chance.upTo(2000);
      const receivedAtMs = nowMs + lagMs;
      if (isAway) more(counts, 'deliveries kept by an outage', 1);
      agenda.add(receivedAtMs, () => receive(delivery, receivedAtMs));
      return [`github:${id}`, ...recorded.flatMap((one) => one ?? [])];
    },
    /** Has a delivery received so many ms from now, whatever breaks down. */
    deliver(delivery: Delivery, lagMs: number): void {
      const receivedAtMs = nowMs + lagMs;
      agenda.add(receivedAtMs, () => receive(delivery, receivedAtMs));
    },
    /** From when to when GitHub delivers nothing; it does so afterwards. */
    breakDown(fromMs: number, toMs: number): void {
      outage = { fromMs, toMs };
    },
    /** Lets everything happen that is set, in its order. */
    run(): void {
      for (let next = agenda.take(); next !== undefined; next = agenda.take()) {
        nowMs = next.ms;
        next.what();
      }
    },
  };
}

type Entry = { ms: number; nth: number; what: () => void };
/** What is set, the earliest first; at one time in the order in which it was set: a binary heap. */
function createAgenda() {
  const heap: Entry[] = [];
  let nth = 0;
  const isBefore = (a: Entry, b: Entry) => a.ms < b.ms || (a.ms === b.ms && a.nth < b.nth);
  const swap = (a: number, b: number) => {
    [heap[a], heap[b]] = [heap[b]!, heap[a]!];
  };
  return {
    add(ms: number, what: () => void): void {
      heap.push({ ms, nth: nth++, what });
      for (let at = heap.length - 1; at > 0; ) {
        const above = (at - 1) >> 1;
        if (!isBefore(heap[at]!, heap[above]!)) break;
        swap(at, above);
        at = above;
      }
    },
    take(): Entry | undefined {
      const first = heap[0];
      const last = heap.pop();
      if (first === undefined || first === last) return first;
      heap[0] = last!;
      for (let at = 0; ; ) {
        const [left, right] = [2 * at + 1, 2 * at + 2];
        let least = at;
        if (left < heap.length && isBefore(heap[left]!, heap[least]!)) least = left;
        if (right < heap.length && isBefore(heap[right]!, heap[least]!)) least = right;
        if (least === at) return first;
        swap(at, least);
        at = least;
      }
    },
  };
}
