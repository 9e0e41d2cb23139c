import { createHash } from 'node:crypto';
import { createJudge, type JudgeStore } from '@tripline/cli/replay/judge';
import type { Attributes } from '@tripline/contracts/attributes';
import type { TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import { type Finding, isGraver, type Severity } from '@tripline/contracts/finding';
import type { Effects } from '@tripline/engine/effects';
import { joinKey } from '@tripline/engine/keyed-state/keys';
import type { StateRow } from '@tripline/engine/keyed-state/state';
import type { ConfiguredRule } from '@tripline/engine/settings';
import { github } from '@tripline/sources/github/source';
import { signGithub } from '@tripline/sources/github/verify';
import { githubAudit } from '@tripline/sources/github-audit/source';
import { createWorkspaces } from '@tripline/sources/workspace';
import { type StreamRecord, topics } from '@tripline/stream/stream';
import { answer } from './answers.ts';
import type { Delivery, World } from './world.ts';

/** Something that was found. */
export type Found = {
  finding: Finding;
  became: 'stands' | 'retracted' | 'superseded';
  /** The gravest at which it was ever told, whatever became of it; null where a narrower finding stood for it from the first. */
  told: Severity | null;
};

/** What the rules made of a month. */
export type Judged = {
  /** All that were found, in the order in which they were. */
  findings: Found[];
  events: number;
  ignored: Map<string, number>;
  lookUps: number;
  faults: Map<string, number>;
  /** CPU µs an event of the engine and its store. */
  cpuMicros: number;
  stateKeys: number;
  stateBytes: number;
};

const secret = 'a secret of the month';
const settings = {
  github: { webhookSecrets: [secret] },
  'github-audit': { tokens: [secret] },
  workspaces: [],
  drills: false,
  dataDir: '.',
};
/** A detector that keeps up takes what came within so long as one batch. */
const batchMs = 500;
/** How long GitHub's API takes to answer. */
const answersMs = 800;
const hourMs = 3_600_000;
/** Why a genuine delivery is set aside that no rule could use. */
const notRead: ReadonlySet<string> = new Set(['action-not-read', 'event-not-read']);

/**
 * Takes signed deliveries as the receiver does, and judges them as a detector does that has GitHub's API: each is verified and
 * normalised, in batches, and what is asked is answered at the batch's end.
 */
export function createMonthJudge(rules: readonly ConfiguredRule[], worldOf: () => World) {
  const workspaces = createWorkspaces(settings);
  const feeds = {
    github: [github, github.secrets(settings)],
    'github-audit': [githubAudit, githubAudit.secrets(settings)],
  } as const;
  const store = createMemoryStore();
  const { judge, standing } = createJudge({ learningDays: 14, workspaces: [] }, rules, store);
  const told = new Map<string, Severity | null>();
  const [ignored, faults] = [new Map<string, number>(), new Map<string, number>()];
  let [events, lookUps, cpuMicros, offset, logMs] = [0, 0, 0, 0, 0];
  let open: StreamRecord[] = [];
  const count = (map: Map<string, number>, name: string) => map.set(name, (map.get(name) ?? 0) + 1);

  function append(event: TriplineEvent, atMs: number): void {
    if (open.length > 0 && atMs - open[0]!.appendedAtMs > batchMs)
      judgeOpen(Math.min(atMs, open.at(-1)!.appendedAtMs + batchMs));
    logMs = Math.max(logMs, atMs);
    open.push({ ...toEventRecord(event), topic: topics.events, partition: 0, offset: offset++, appendedAtMs: logMs });
    events += 1;
  }

  function judgeOpen(caughtUpAtMs: number | null): void {
    const records = open;
    open = [];
    const before = process.cpuUsage();
    const effects = judge({ records, caughtUpAtMs });
    const { user, system } = process.cpuUsage(before);
    cpuMicros += user + system;
    for (const verdict of effects.verdicts) hear(verdict);
    for (const { rule, reason } of effects.poison) count(faults, `${rule ?? 'record'}: ${reason}`);
    lookUps += effects.lookUps.length;
    for (const { workspace, lookup } of effects.lookUps) {
      const world = worldOf();
      world.at(logMs + answersMs, () => append(answer(world, workspace, lookup), logMs + answersMs));
    }
  }

  /** As people hear of it: what is lowered or taken back later has been told before. */
  function hear(verdict: Effects['verdicts'][number]): void {
    if ('finding' in verdict) {
      const { id, severity } = verdict.finding;
      const before = told.get(id) ?? null;
      told.set(id, verdict.supersededBy === undefined ? graver(before, severity) : before);
    } else if ('change' in verdict && !standing.superseded.has(verdict.change.findingId)) {
      const finding = standing.findings.get(verdict.change.findingId);
      if (finding !== undefined) told.set(finding.id, graver(told.get(finding.id) ?? null, finding.severity));
    }
  }

  return {
    /** What GitHub's API told on the first day. */
    importInventory({ organisation, startMs }: World, inventory: Attributes): void {
      const workspace = organisation.login;
      const [id, source, time] = ['inventory', `//github.com/${workspace}`, new Date(startMs - 60_000).toISOString()];
      const type = 'dev.cdeventsx.tripline-inventory.observed';
      append({ id, source, type, time, workspace, trust: 'high', data: inventory } as TriplineEvent, startMs - 60_000);
    },
    /** Takes a delivery as the receiver does: proved, and normalised by its feed. */
    receive(delivery: Delivery, receivedAtMs: number): void {
      if (delivery.feed === 'own') {
        append(delivery.event, receivedAtMs);
        return;
      }
      const { feed, body: rawBody } = delivery;
      const [source, secrets] = feeds[feed];
      const headers = headersOf(delivery);
      const verified = source.verify(rawBody, headers, secrets, receivedAtMs);
      if ('refusal' in verified) throw new Error(`a delivery of the month is not proved: ${verified.refusal.message}`);
      const bodySha256 = createHash('sha256').update(rawBody).digest('hex');
      const made = source.normalise(
        { headers, rawBody, bodySha256, receivedAtMs, secretScope: verified.secretScope },
        workspaces,
      );
      if ('event' in made) append(made.event, receivedAtMs);
      else if ('events' in made) {
        for (const event of made.events) append(event, receivedAtMs);
        for (const { ignored: reason } of made.leftOut) count(ignored, `${feed}: ${reason}`);
      } else if ('ignored' in made) {
        // A breach is told with all that GitHub sends beside.
        if (!(delivery.isHidden && notRead.has(made.ignored))) count(ignored, `${feed}: ${made.ignored}`);
      } else
        throw new Error(
          `a delivery of the month is refused: ${JSON.stringify(made)} ${rawBody.toString().slice(0, 300)}`,
        );
    },
    /** Ends the log, and waits for what is held. */
    end(atMs: number): Judged {
      while (open.length > 0) judgeOpen(null);
      judgeOpen(atMs);
      while (open.length > 0) judgeOpen(null);
      const becameOf = ({ id }: Finding): Found['became'] =>
        standing.retracted.has(id) ? 'retracted' : standing.superseded.has(id) ? 'superseded' : 'stands';
      return {
        findings: [...standing.findings.values()].map((finding) => ({
          ...{ finding, became: becameOf(finding), told: told.get(finding.id) ?? null },
        })),
        ...{ events, ignored, lookUps, faults, cpuMicros: cpuMicros / events },
        ...store.sizeAt(atMs),
      };
    },
  };
}

/** As GitHub sends a delivery: a webhook is signed, and the stream has a token. */
function headersOf(delivery: Exclude<Delivery, { feed: 'own' }>): Record<string, string> {
  if (delivery.feed === 'github-audit') return { authorization: `Splunk ${secret}` };
  const { event, id, body } = delivery;
  return {
    ...{ 'content-type': 'application/json', 'x-github-event': event, 'x-github-delivery': id },
    'x-hub-signature-256': signGithub(body, secret),
  };
}

const graver = (a: Severity | null, b: Severity): Severity => (a !== null && isGraver(a, b) ? a : b);

/** Keyed state in memory; what has expired is dropped once a day of the log. */
function createMemoryStore(): JudgeStore & {
  sizeAt: (nowMs: number) => { stateKeys: number; stateBytes: number };
} {
  const rows = new Map<string, { row: StateRow; bytes: number }>();
  let sweptMs = 0;
  function sweep(nowMs: number): void {
    for (const [name, { row }] of rows) if (row.expiresMs <= nowMs) rows.delete(name);
    sweptMs = nowMs;
  }
  const peek: JudgeStore['peek'] = ({ workspace, rule, key }) => rows.get(joinKey(workspace, rule, key))?.row ?? null;
  return {
    peek,
    read: (keys) => keys.flatMap((key) => peek(key) ?? []),
    keep(changes, nowMs) {
      for (const { workspace, rule, key, json, expiresMs } of changes) {
        const name = joinKey(workspace, rule, key);
        if (json === null) rows.delete(name);
        else rows.set(name, { row: { workspace, rule, key, value: JSON.parse(json), expiresMs }, bytes: json.length });
      }
      if (nowMs >= sweptMs + 24 * hourMs) sweep(nowMs);
    },
    sizeAt(nowMs) {
      sweep(nowMs);
      return { stateKeys: rows.size, stateBytes: [...rows.values()].reduce((sum, { bytes }) => sum + bytes, 0) };
    },
  };
}
