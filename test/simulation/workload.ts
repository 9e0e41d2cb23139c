import type { Attributes } from '@tripline/contracts/attributes';
import type { TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import { eventsOf, type PlayedEvent } from '@tripline/scenarios/events';
import { scenarios } from '@tripline/scenarios/registry';
import type { Cast, Scenario } from '@tripline/scenarios/scenario';
import { factOf } from '@tripline/sources/github/fact';
import type { Workspaces } from '@tripline/sources/workspace';
import { type NewRecord, topics } from '@tripline/stream/stream';
import { proved } from '../../packages/testing/internal-key.ts';
import type { Random } from './random.ts';

/** One record on its way to the log, and when it arrives there, ms since the epoch. */
export type Arrival = { atMs: number; record: NewRecord };

export type WorkloadShape = {
  /** How many timelines are told at once. */
  timelines: number;
  workspaces: number;
  /** Over how long they begin, ms. */
  spanMs: number;
  /** Probability that an event is sent again. */
  duplicates: number;
  /** Probability that its body is sent again under another id. */
  repeats: number;
  /** Probability that an event comes late, and how late at most, ms. */
  lateness: number;
  latestMs: number;
  poison: number;
  /** Probability that the audit log tells too of what a webhook tells: at its own time, in its own order. */
  audits: number;
};

/** Where every simulated time begins; the same for all seeds, so that the trail's days are the same. */
export const dawnMs = Date.parse('2026-03-11T09:00:00Z');
const minuteMs = 60_000;

/** Whoever is asked for is known: a workspace may have any name here. */
const anyWorkspace: Workspaces = {
  whose: (_, owners) => ({ workspace: owners[0]!.login.toLowerCase() }),
  of: (login) => login.toLowerCase(),
  ofEnterprise: () => undefined,
  isDrill: () => true,
};

/** Of so many steps that many can be woven into one another; longer ones are played alone (test/oracle/oracle.test.ts). */
const anyCast: Cast = { organization: 'tripline-drill-1', startMs: dawnMs, seed: 1 };
const brief = scenarios.filter(({ attack, benign }) => attack(anyCast).length + benign(anyCast).length <= 30);

/** Timelines of attackers and of honest people, woven into one another, late, doubled and with bad records between. */
export function weave(random: Random, shape: WorkloadShape): Arrival[] {
  const arrivals: Arrival[] = [];
  for (let timeline = 0; timeline < shape.timelines; timeline += 1) {
    const place = random.int(1, shape.workspaces);
    // A drill's settings come with its inventory; elsewhere the user's hold.
    const workspace = place % 2 === 0 ? `acme-${place}` : `tripline-drill-${place}`;
    const startMs = dawnMs + random.int(0, shape.spanMs);
    const events = random.chance(0.3)
      ? branches(random, workspace, startMs, timeline)
      : play(random.pick(brief), random.pick(['attack', 'benign']), {
          organization: workspace,
          startMs,
          seed: timeline,
        });
    for (const { event, atMs } of events) {
      const lateMs = random.chance(shape.lateness) ? random.int(0, shape.latestMs) : random.int(0, 3) * 200;
      const record = proved({ topic: topics.events, ...toEventRecord(event) });
      arrivals.push({ atMs: atMs + lateMs, record });
      while (random.chance(shape.duplicates) && random.chance(0.9)) {
        arrivals.push({ atMs: atMs + lateMs + random.int(0, shape.latestMs), record });
      }
      while (random.chance(shape.repeats) && random.chance(0.7)) {
        // Like what comes late, within what rules remember for certain.
        const againMs = lateMs + random.int(0, Math.max(0, Math.min(shape.latestMs, 71 * 60 * minuteMs - lateMs)));
        arrivals.push(...repeated(random, record, atMs + againMs, arrivals.length));
      }
      const audited = shape.audits > 0 && random.chance(shape.audits) ? auditedOf(event, atMs) : undefined;
      if (audited !== undefined) {
        const auditedMs =
          atMs + (random.chance(shape.lateness) ? random.int(0, shape.latestMs) : random.int(0, 60) * 1000);
        arrivals.push({ atMs: auditedMs, record: proved({ topic: topics.events, ...toEventRecord(audited) }) });
      }
      if (random.chance(shape.poison)) arrivals.push({ atMs: atMs + lateMs, record: spoilt(random, record) });
    }
  }
  return arrivals.sort((a, b) => a.atMs - b.atMs);
}

/** The record of the audit log on the act that a webhook tells, dated by the log and less surely the provider's. */
function auditedOf({ bodySha256: _, ...event }: TriplineEvent, atMs: number): TriplineEvent | undefined {
  const { 'tripline.fact.id': fact, 'tripline.time.received': __, ...told } = event.data as Attributes;
  if (fact === undefined || event.data['tripline.fact.teller'] === 'github-audit') return undefined;
  const time = new Date(atMs - 1000).toISOString();
  const id = `github-audit:of-${event.id}`;
  const data = { ...told, 'tripline.audit.id': id, ...factOf('github-audit', event.type, told as Attributes, time) };
  return { ...event, id, time, trust: 'medium', data } as TriplineEvent;
}

/** The same body under another id, as somebody sends it who kept it or as the act was done again; and what is answered. */
function repeated(random: Random, record: NewRecord, atMs: number, nth: number): Arrival[] {
  const workspace = record.key;
  const { ce_id: former, ce_time: formerTime, ...others } = record.headers;
  const isUntimed = record.value?.includes('"tripline.time.received":true') === true;
  const id = `${former}-again-${nth}`;
  const time = isUntimed ? new Date(atMs).toISOString() : formerTime!;
  const again = { atMs, record: proved({ ...record, headers: { ...others, ce_id: id, ce_time: time } }) };
  if (others['ce_bodysha256'] === undefined || random.chance(0.2)) return [again];
  const answer: TriplineEvent = {
    id: `proof:${id}`,
    source: `//tripline/${workspace}`,
    type: 'dev.cdeventsx.tripline-delivery.looked-up',
    time,
    workspace,
    trust: 'high',
    data: {
      'tripline.delivery.id': id,
      'tripline.delivery.proof': random.pick(['listed', 'not-listed', 'unavailable']),
    },
  };
  const answeredMs = atMs + random.int(-1, 20) * minuteMs;
  return [again, { atMs: answeredMs, record: proved({ topic: topics.events, ...toEventRecord(answer) }) }];
}

/** A scenario as the events that its deliveries are normalised to. */
export const play = (scenario: Scenario, variant: 'attack' | 'benign', cast: Cast): PlayedEvent[] =>
  eventsOf(scenario, variant, cast, anyWorkspace);

/** Branches that come and go: what the synthetic rules read, of which one counts and so notices each event lost or doubled. */
function branches(random: Random, workspace: string, startMs: number, seed: number): PlayedEvent[] {
  return Array.from({ length: random.int(3, 20) }, (_, place) => {
    const atMs = startMs + place * random.int(0, minuteMs);
    const type = random.chance(0.7) ? 'dev.cdevents.branch.created' : 'dev.cdevents.branch.deleted';
    const event: TriplineEvent = {
      id: `branches-${seed}-${place}`,
      source: `//github.com/${workspace}`,
      type,
      time: new Date(atMs).toISOString(),
      workspace,
      trust: 'high',
      data: { 'vcs.repository.name': `${workspace}/app`, 'vcs.ref.head.name': `branch-${random.int(1, 6)}` },
    };
    return { event, atMs };
  });
}

/** A record that nobody can read. */
function spoilt(random: Random, record: NewRecord): NewRecord {
  const headers = { ...record.headers };
  // Whoever can write to the log, and has no key.
  if (headers['ce_mac'] !== undefined && random.chance(0.5)) {
    delete headers['ce_mac'];
    return { ...record, headers: { ...headers, ce_id: `${headers['ce_id']}-forged` } };
  }
  switch (random.int(0, 3)) {
    case 0:
      return { ...record, value: Buffer.from('{"canary') };
    case 1:
      return { ...record, headers: { ...headers, ce_type: 'com.example' } };
    case 2:
      delete headers['ce_id'];
      return { ...record, headers };
    default:
      return { ...record, value: Buffer.from('[]') };
  }
}
