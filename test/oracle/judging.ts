import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { eventTypeOf, fromEventRecord } from '@tripline/contracts/event-record';
import type { AnyFact } from '@tripline/contracts/fact';
import { type Entity, type Severity, severities } from '@tripline/contracts/finding';
import type { LookUp } from '@tripline/contracts/job';
import type { Intent } from '@tripline/contracts/response';
import type { AnyRule, FindingDraft, RuleContext, Timer } from '@tripline/contracts/rule';
import { rule as stateFlooded } from '@tripline/engine/state-flooded';
import type { StreamRecord } from '@tripline/stream/stream';
import { conclude, type Facts as KnownFacts, learn, subjectsOf } from './concluding.ts';

/**
 * What a log means, said as plainly as it can be: one partition, one record at a time, plain maps, everything kept in
 * one value that is copied before each rule is called. Written apart from packages/engine, against the contract of rules
 * alone; what the engine does faster must come to the same.
 */
type OracleRule = { rule: AnyRule; written?: Record<string, unknown> };
export type OracleOptions = { rules: readonly OracleRule[]; learningDays: number };

/** A finding as far as its meaning goes. `atMs`: the log's time at which it was said. */
export type Said = {
  workspace: string;
  rule: string;
  subject: string;
  occasion: string;
  severity: Severity;
  title: string;
  entities: readonly Entity[];
  response: readonly Intent[];
  atMs: number;
};
export type OracleVerdict =
  | { kind: 'found'; said: Said; unproven: boolean; superseded?: true }
  /** A narrower rule supersedes it, or no longer does. */
  | { kind: 'superseded'; name: string; atMs: number; by: string | null }
  | { kind: 'retracted'; name: string; atMs: number }
  | { kind: 'proven'; name: string; atMs: number }
  | { kind: 'lowered'; name: string; atMs: number }
  | { kind: 'grown'; name: string; atMs: number; entities: readonly Entity[]; severity?: Severity; raised?: true };
export type Judged = {
  verdicts: readonly OracleVerdict[];
  lookUps: readonly (LookUp & { workspace: string })[];
  /** Deliveries that the provider's list is asked about, by workspace and event id. */
  questions: readonly string[];
  /** What is set aside: by the record's offset or the timer's id, and the rule that threw. */
  poison: readonly string[];
  workspaces: readonly string[];
  /** State of rules that may stand, whether it must, and timers that wait, by workspace, rule and name. */
  state: ReadonlyMap<string, { value: unknown; isSure: boolean }>;
  timers: ReadonlyMap<string, number>;
  logTimeMs: number;
};

/** One finding's name: what makes two of them the same. */
export const nameOf = (of: { workspace: string; rule: string; subject: string; occasion: string }) =>
  JSON.stringify([of.workspace, of.rule, of.subject, of.occasion]);

/** Whether `event` is of a type that `rule` reads and, where it waits for a value, has one of them. */
function reads({ reads: types, where }: AnyRule, { type, data }: LoggedEvent): boolean {
  if (!types.includes(type)) return false;
  const value = where && (data as Record<string, unknown>)[where.attribute];
  return where === undefined || where.oneOf.some((wanted) => wanted === value);
}

/** By key where both have one, however they are called; else by name. */
export function isOneThing(a: Entity, b: Entity): boolean {
  if (a.kind !== b.kind) return false;
  return a.key === undefined || b.key === undefined ? a.id === b.id : a.key === b.key;
}
const runOf = ({ kind, id, key = id }: Entity) => (kind === 'run' ? [key] : []);

const hourMs = 3_600_000;
const memoryMs = 72 * hourMs;
/** What is kept lives between once and 1.5 times as long as was asked. */
const slack = 1.5;

/** What only Tripline itself may say. */
const fromWithin =
  /\.tripline-((inventory|standing)\.observed|(change|delivery)\.looked-up|act\.performed|response\.finished|access\.\w+|credential\.(minted|revoked|outlived)|stepup\.\w+|gate\.decided|policy\.changed)$/;

type Facts = { firstMs: number; wholeMs?: number; of?: number; come: number[]; settings: Record<string, object> };
/** `doubts`: events that it rests on and nobody has vouched for. `lowered`: an explanation was doubted (`explained`), or it rests on what is refuted. */
type Known = {
  said: Said;
  runs: string[];
  retracted: boolean;
  untilMs: number;
  doubts: readonly string[];
  lowered: boolean;
  explained?: boolean;
  /** Ids of the evidence's events, entities, and the severity that it reached. */
  told: readonly string[];
  named: readonly Entity[];
  severity: Severity;
  /** Names of findings of narrower rules that speak for it. */
  narrower: readonly string[];
  /** Names of findings of one act with it, of which the graver speaks. */
  twins: readonly string[];
};
/** Names of findings of one act: of rules that yield, and of those that they yield to. */
type OfAct = { plain: readonly string[]; fuller: readonly string[]; untilMs: number };
/** One telling of an act, or more: who told it, and when first. */
type Fact = {
  name: string;
  base: string;
  timeMs: number;
  tellers: string[];
  timeless: boolean;
  by: string | undefined;
};
/** A delivery whose body was received before; `event` while it waits for its answer. */
type Doubted = {
  event: LoggedEvent | null;
  record: StreamRecord;
  heardMs: number;
  refuted?: true;
  /** Subjects whose conclusions it had a part in by being doubted. */
  asks?: readonly { rule: string; subject: string }[];
  /** What facts learned of it without proof. */
  learned?: readonly { fact: AnyFact; key: string }[];
};
/** `sureMs`: until when it is kept at least. */
type Kept = { json: string; sureMs: number; untilMs: number };
type SetTimer = Timer & { workspace: string; rule: string };
type World = {
  facts: Map<string, Facts>;
  state: Map<string, Kept>;
  timers: Map<string, SetTimer>;
  known: Map<string, Known>;
  asked: Map<string, number>;
  told: Map<string, Fact[]>;
  acts: Map<string, OfAct>;
  doubted: Map<string, Doubted>;
  verdicts: OracleVerdict[];
  lookUps: (LookUp & { workspace: string })[];
  questions: string[];
} & KnownFacts;
const copyOf = (world: World): World => ({
  facts: new Map(world.facts),
  things: new Map(world.things),
  subjects: new Map(world.subjects),
  state: new Map(world.state),
  timers: new Map(world.timers),
  known: new Map(world.known),
  asked: new Map(world.asked),
  told: new Map(world.told),
  acts: new Map(world.acts),
  doubted: new Map(world.doubted),
  verdicts: [...world.verdicts],
  lookUps: [...world.lookUps],
  questions: [...world.questions],
});
const join = (...names: string[]) => names.join('\0');

/** Judges one partition's records, in order, until the log's time `untilMs`. */
export function judge(records: readonly StreamRecord[], untilMs: number, options: OracleOptions): Judged {
  let world = copyOf({
    facts: new Map(),
    things: new Map(),
    subjects: new Map(),
    state: new Map(),
    timers: new Map(),
    known: new Map(),
    asked: new Map(),
    told: new Map(),
    acts: new Map(),
    doubted: new Map(),
    verdicts: [],
    lookUps: [],
    questions: [],
  });
  const yielding = new Map(options.rules.map(({ rule }) => [rule.id, rule.yieldsTo ?? []]));
  const yieldedTo = new Set([...yielding.values()].flat());
  const seen = new Map<string, number>();
  const bodies = new Map<string, number>();
  const poison: string[] = [];
  let nowMs = 0;
  /** How many verdicts were said when it was last settled which rule speaks. */
  let settled = 0;
  const facts = [...new Set(options.rules.flatMap(({ rule }) => rule.concludes?.uses ?? []))];

  for (const record of records) {
    const atMs = Math.max(nowMs, record.appendedAtMs);
    fireUntil(atMs);
    nowMs = atMs;
    take(record);
    supersede();
    fireUntil(atMs);
  }
  fireUntil(untilMs);
  nowMs = Math.max(nowMs, untilMs);

  /** Once all is said that follows from one record, or from the timers of one moment. */
  function supersede(): void {
    for (const [name, wide] of [...world.known]) {
      if (wide.untilMs <= nowMs) continue;
      const { workspace, rule: of, subject, occasion } = wide.said;
      const named = options.rules.flatMap(({ rule }) =>
        rule.supersedes?.includes(of) ? [nameOf({ workspace, rule: rule.id, subject, occasion })] : [],
      );
      const narrower = [...new Set([...named, ...wide.twins])].filter((narrow) => {
        const known = world.known.get(narrow);
        // What is not remembered any more stays as it was.
        if (known === undefined || known.untilMs <= nowMs) return wide.narrower.includes(narrow);
        const isDoubted = (known.lowered && !wide.lowered) || (known.doubts.length > 0 && wide.doubts.length === 0);
        if (known.retracted || isDoubted) return false;
        if (!wide.twins.includes(narrow)) return true;
        const above = severities.indexOf(severityOf(known)) - severities.indexOf(severityOf(wide));
        return above > 0 || (above === 0 && yieldsTo(of).includes(known.said.rule));
      });
      const wasHidden = wide.narrower.length > 0;
      const isHidden = narrower.length > 0;
      if (narrower.join() !== wide.narrower.join())
        world.known.set(name, { ...wide, narrower, untilMs: Math.ceil(nowMs + rememberMs(of) * slack) });
      if (wide.retracted) continue;
      const place = world.verdicts.findLastIndex(
        (one, at) => at >= settled && one.kind === 'found' && nameOf(one.said) === name,
      );
      const found = world.verdicts[place];
      if (found?.kind === 'found') world.verdicts[place] = { ...found, ...(isHidden && { superseded: true }) };
      else if (isHidden !== wasHidden)
        world.verdicts.push({ kind: 'superseded', name, atMs: nowMs, by: narrower[0] ?? null });
    }
    settled = world.verdicts.length;
  }

  function yieldsTo(rule: string): readonly string[] {
    return yielding.get(rule) ?? [];
  }
  function severityOf({ lowered, severity }: Known): Severity {
    return lowered ? 'low' : severity;
  }

  /** Two findings of one act, of rules of which one yields to the other. Of such a rule, its occasion is the act. */
  function pairByActs(name: string, { said }: Known, acts: readonly string[]): void {
    const { workspace, rule } = said;
    const isPlain = yieldsTo(rule).length > 0;
    if (!isPlain && !yieldedTo.has(rule)) return;
    for (const act of isPlain ? [said.occasion] : acts) {
      const key = join(workspace, act);
      const kept = world.acts.get(key);
      const none = { plain: [], fuller: [] };
      const of: Omit<OfAct, 'untilMs'> = kept !== undefined && kept.untilMs > nowMs ? kept : none;
      const [own, others] = isPlain ? [of.plain, of.fuller] : [of.fuller, of.plain];
      if (own.length >= 20 || own.includes(name)) continue;
      const more = { [isPlain ? 'plain' : 'fuller']: [...own, name] };
      world.acts.set(key, { ...of, ...more, untilMs: Math.ceil(nowMs + rememberMs(rule) * slack) });
      for (const other of others) {
        const ruleOf = (one: string): string => JSON.parse(one)[1];
        const [plain, fuller] = isPlain ? [name, other] : [other, name];
        if (!yieldsTo(ruleOf(plain)).includes(ruleOf(fuller))) continue;
        for (const [one, twin] of [
          [name, other],
          [other, name],
        ] as const) {
          const known = world.known.get(one);
          if (known === undefined || known.untilMs <= nowMs || known.twins.includes(twin)) continue;
          const untilMs = Math.ceil(nowMs + rememberMs(known.said.rule) * slack);
          world.known.set(one, { ...known, twins: [...known.twins, twin], untilMs });
        }
      }
    }
  }

  function take(record: StreamRecord): void {
    const { headers, offset } = record;
    const workspace = headers['ce_workspace'] ?? '';
    const type = eventTypeOf(headers);
    const readers = [...options.rules.map(({ rule }) => rule), ...facts].filter(
      (reader) => type !== undefined && reader.reads.includes(type),
    );
    if (type === 'dev.cdeventsx.tripline-deliveries.summarized' && readers.length === 0) return;
    const isInventory = type === 'dev.cdeventsx.tripline-inventory.observed';
    if (workspace === '') return void poison.push(`${offset}`);
    // Here whoever has no key writes no MAC.
    if (type !== undefined && fromWithin.test(type) && headers['ce_mac'] === undefined) {
      return void poison.push(`${offset}`);
    }
    const isAnswer = type === 'dev.cdeventsx.tripline-delivery.looked-up';
    if (type !== undefined && readers.length === 0 && !isInventory && !isAnswer) {
      meet(workspace);
      return;
    }
    let event: LoggedEvent;
    try {
      event = fromEventRecord(record, { partition: record.partition, offset, appendedAtMs: nowMs });
      if (isDuplicate(event)) return;
      if (isInventory) {
        const facts = withInventory(world.facts.get(workspace), event);
        for (const configured of options.rules) settingsOf(configured, facts);
        world.facts.set(workspace, facts);
      }
    } catch {
      return void poison.push(`${offset}`);
    }
    meet(workspace);
    if (isAnswer) {
      takeAnswer(event, offset);
      // It may say more of the delivery than whether it is the provider's.
      return void concludeAll(event.workspace, event, offset, learnAll(event, offset), false);
    }
    const again = isRepeated(event);
    if (!wanted(event)) return;
    event = withFact(event);
    if (again) doubt(event, record);
    else judgeAll(event, offset, false);
  }

  /** What settings ask that a fact keep more, by name. */
  function wantedOf(fact: AnyFact, workspace: string): string[] {
    return options.rules.flatMap((configured) => {
      const asked = configured.rule.concludes?.wants;
      return asked?.fact === fact ? asked.names(settingsOf(configured, world.facts.get(workspace))) : [];
    });
  }
  /** Whether an event tells a fact nothing, by what the fact says of such. */
  function passesOver(fact: AnyFact, { type, data, workspace }: LoggedEvent): boolean {
    const passed = fact.passesOver?.[type];
    if (passed === undefined) return false;
    const said = data as Record<string, unknown>;
    return (
      (passed.without ?? []).every((name) => said[name] === undefined) &&
      Object.entries(passed.says ?? {}).every(([name, value]) => said[name] === value) &&
      !(passed.unlessWanted && wantedOf(fact, workspace).length > 0)
    );
  }

  /** Whether some rule names keys for it, or fails to. */
  function wanted(event: LoggedEvent): boolean {
    const told = facts.some((fact) => {
      if (!fact.reads.includes(event.type) || passesOver(fact, event)) return false;
      try {
        return fact.keys(event).length > 0;
      } catch {
        return true;
      }
    });
    if (told) return true;
    return options.rules.some(({ rule, written }) => {
      if (!reads(rule, event) || rule.judge === undefined) return false;
      try {
        const settings = settingsOf({ rule, ...(written && { written }) }, world.facts.get(event.workspace));
        return rule.keys === undefined || rule.keys(event, settings).length > 0;
      } catch {
        return true;
      }
    });
  }

  function judgeAll(event: LoggedEvent, offset: number, doubts: boolean): void {
    const changed = learnAll(event, offset);
    const doubted = doubts ? world.doubted.get(join(event.workspace, event.id)) : undefined;
    if (doubted !== undefined && changed.length > 0)
      world.doubted.set(join(event.workspace, event.id), { ...doubted, learned: changed });
    for (const configured of options.rules) {
      if (!reads(configured.rule, event)) continue;
      if (attempt(() => judgeBy(configured, event, doubts))) poison.push(`${offset} ${configured.rule.id}`);
    }
    concludeAll(event.workspace, event, offset, changed, doubts);
  }
  function learnAll(event: LoggedEvent, offset: number): { fact: AnyFact; key: string; before: unknown }[] {
    const { workspace } = event;
    return facts.flatMap((fact) => {
      if (!fact.reads.includes(event.type) || passesOver(fact, event)) return [];
      const changed: { fact: AnyFact; key: string; before: unknown }[] = [];
      const failed = attempt(() => {
        for (const key of new Set(fact.keys(event))) {
          const flooded = (kind: string, author: string) => {
            const itself = contextOf({ rule: stateFlooded }, workspace, [], event);
            const subject = `${fact.id} ${kind} ${author || 'somebody unnamed'}`;
            const nothing = { evidence: [], entities: [], response: [], remedy: [], summary: '' } as const;
            const of = { ...nothing, subject, occasion: 'bound reached', confidence: 'high' } as const;
            itself.find({
              ...of,
              title: `More ${kind} of ${fact.id} by ${author || 'somebody unnamed'} than are kept`,
            });
          };
          const wants = (name: string) => wantedOf(fact, workspace).includes(name);
          const news = learn(world, fact, key, event, nowMs, flooded, wants);
          if (news) changed.push({ fact, key, ...news });
        }
      });
      if (failed) poison.push(`${offset} fact:${fact.id}`);
      return failed ? [] : changed;
    });
  }
  function concludeAll(
    workspace: string,
    event: LoggedEvent | null,
    offset: number,
    changed: readonly { fact: AnyFact; key: string; before: unknown }[],
    doubts: boolean,
  ): void {
    for (const configured of options.rules) {
      const { rule } = configured;
      const own = changed.filter(({ fact }) => rule.concludes?.uses.includes(fact));
      const subjects = new Set<string>();
      const failed = attempt(() => {
        const settings = settingsOf(configured, world.facts.get(workspace));
        for (const one of own)
          for (const subject of subjectsOf(world, rule, workspace, one, settings)) subjects.add(subject);
      });
      if (failed) poison.push(`${offset} ${rule.id}`);
      for (const subject of failed ? [] : subjects) {
        if (attempt(() => concludeOne(configured, workspace, subject, event, doubts)))
          poison.push(`${offset} ${rule.id}`);
      }
    }
  }
  function concludeOne(
    configured: OracleRule,
    workspace: string,
    subject: string,
    event: LoggedEvent | null,
    doubts: boolean,
  ): void {
    const { rule } = configured;
    const of = world.facts.get(workspace);
    const endMs = (of?.firstMs ?? 0) + options.learningDays * 24 * hourMs;
    const learnedUntilMs = rule.learns ? Math.min(endMs, (of?.wholeMs ?? Number.POSITIVE_INFINITY) + 1) : 0;
    const unlistedLearnedUntilMs = rule.learns ? endMs : 0;
    const whole = contextOf(configured, workspace, [], event, doubts);
    /** Whether nobody has vouched for an event; then the subject is concluded anew once it is known. */
    const isDoubted = (id: string): boolean => {
      const doubted = world.doubted.get(join(workspace, id));
      const asks = doubted?.asks ?? [];
      if (doubted !== undefined && !asks.some((one) => one.rule === rule.id && one.subject === subject))
        world.doubted.set(join(workspace, id), { ...doubted, asks: [...asks, { rule: rule.id, subject }] });
      return doubted !== undefined;
    };
    const isRefuted = (id: string) => world.doubted.get(join(workspace, id))?.refuted === true;
    const doubtOf = (id: string) => (isDoubted(id) ? whole.doubtOf(id) : undefined);
    const dueMs = conclude(
      world,
      rule,
      subject,
      { ...whole, doubtOf, learnedUntilMs, unlistedLearnedUntilMs },
      isDoubted,
      isRefuted,
    );
    const name = join(workspace, `subject:${rule.id}`, subject);
    if (dueMs === undefined) world.timers.delete(name);
    else world.timers.set(name, { id: subject, dueMs, keys: [], workspace, rule: `subject:${rule.id}` });
  }
  function judgeBy(configured: OracleRule, event: LoggedEvent, doubts: boolean): void {
    const { workspace } = event;
    const { judge: judging, keys: naming } = configured.rule;
    const keys = naming?.(event, settingsOf(configured, world.facts.get(workspace))) ?? [];
    if (naming === undefined || keys.length > 0) {
      judging?.(event, contextOf(configured, workspace, keys, event, doubts));
    }
  }

  /** Grants, what the audit log alone has a word for, and of controls some kinds. */
  function isToldTwice({ type, data }: LoggedEvent): boolean {
    if (/tripline-(grant\.|credential\.requested|audit\.recorded)/.test(type)) return true;
    const kind = (data as Attributes)['tripline.control.kind'] ?? '';
    return (
      type.endsWith('control.changed') &&
      /^(visibility|hook|repository|secret-scanning|branch-protection(-switch)?|ruleset)$/.test(kind)
    );
  }

  /** Its body was received before under another id: as the same type within 72 hours, or where it bears no time for longer. */
  function isRepeated(event: LoggedEvent): boolean {
    const { workspace, type, bodySha256, data } = event;
    if (bodySha256 === undefined) return false;
    const name = join(type, bodySha256);
    const hour = Math.floor(nowMs / hourMs);
    const lately = hour - (bodies.get(name) ?? Number.NEGATIVE_INFINITY) <= 72;
    bodies.set(name, hour);
    if ((data as Attributes)['tripline.time.received'] !== true || !isToldTwice(event)) return lately;
    const own = join(workspace, name);
    const ever = bodies.has(own);
    bodies.set(own, hour);
    return lately || ever;
  }

  /**
   * The nth telling by one teller is the nth fact, the nth by another its twin: within a minute of it, or within three days after
   * where it is dated by its receipt, the other is not, and both are known to be of one account.
   */
  function withFact(event: LoggedEvent): LoggedEvent {
    const { 'tripline.fact.id': id, 'tripline.fact.teller': teller = '' } = event.data as Attributes;
    if (id === undefined || !isToldTwice(event)) return event;
    const [, act] = /^(.+)@[\d-]+T[\d:]+Z$/.exec(id) ?? [];
    if (act === undefined) return { ...event, fact: id };
    const timeMs = Date.parse(event.time);
    const key = join(event.workspace, act);
    const facts = world.told.get(key) ?? [];
    const { 'tripline.time.received': received, 'user.id': by } = event.data as Attributes;
    const timeless = received === true;
    const unpaired = facts.filter((fact) => !fact.tellers.includes(teller));
    const awayMs = (fact: Fact) => Math.abs(fact.timeMs - timeMs);
    const isLate = (fact: Fact) => {
      const [act, receipt] = timeless ? [fact.timeMs, timeMs] : [timeMs, fact.timeMs];
      const isTheirs = fact.by !== undefined && fact.by === by;
      return isTheirs && fact.timeless !== timeless && receipt >= act && receipt - act <= 72 * hourMs;
    };
    const twin =
      unpaired.filter((fact) => awayMs(fact) <= 60_000).sort((a, b) => a.timeMs - b.timeMs)[0] ??
      unpaired.filter(isLate).sort((a, b) => awayMs(a) - awayMs(b))[0];
    const nth = facts.filter(({ base }) => base === id).length + 1;
    const fact = twin ?? { name: nth === 1 ? id : `${id}~${nth}`, base: id, timeMs, tellers: [], timeless, by };
    const dated = fact.timeless && !timeless ? { timeMs, timeless } : {};
    const others = facts.filter((other) => other !== twin);
    world.told.set(key, [...others, { ...fact, ...dated, tellers: [...fact.tellers, teller] }]);
    return { ...event, fact: fact.name };
  }

  /** Found is what rules find; nothing else that they do holds until somebody vouches for the delivery. */
  function doubt(event: LoggedEvent, record: StreamRecord): void {
    const { workspace, id } = event;
    world.questions.push(join(workspace, id));
    world.doubted.set(join(workspace, id), { event, record, heardMs: nowMs });
    const name = join(workspace, '@unproven', id);
    world.timers.set(name, { id, dueMs: nowMs + 15 * 60_000, keys: [], workspace, rule: '@unproven' });
    for (const configured of options.rules) {
      if (reads(configured.rule, event)) provisionally(() => judgeBy(configured, event, true));
    }
    const poisoned = poison.length;
    provisionally(() => concludeAll(workspace, event, record.offset, learnAll(event, record.offset), true));
    poison.length = poisoned;
    function provisionally(act: () => void): void {
      const before = copyOf(world);
      const failed = attempt(act);
      const found = failed ? [] : [...world.known].filter(([name, { lowered }]) => !before.known.has(name) && !lowered);
      const said = failed ? [] : world.verdicts.slice(before.verdicts.length);
      world = before;
      for (const [name, known] of found) {
        world.known.set(name, { ...known, doubts: [id], twins: [] });
        pairByActs(name, known, [event.fact ?? event.id]);
      }
      world.verdicts.push(
        ...said.filter((one) => one.kind === 'found' && found.some(([of]) => of === nameOf(one.said))),
      );
    }
  }

  function takeAnswer({ workspace, data }: LoggedEvent, asked: number): void {
    const { 'tripline.delivery.id': id, 'tripline.delivery.proof': proof } = data as Required<Attributes>;
    const doubted = world.doubted.get(join(workspace, id));
    if (doubted === undefined) return;
    const { event, record } = doubted;
    if (proof === 'unavailable') return void giveUp(workspace, id);
    if (proof === 'listed' || event !== null) {
      world.doubted.delete(join(workspace, id));
      world.timers.delete(join(workspace, '@unproven', id));
    } else world.doubted.set(join(workspace, id), { ...doubted, refuted: true });
    if (proof === 'listed' && event !== null) judgeAll(event, record.offset, false);
    for (const [name, known] of [...world.known]) {
      if (known.said.workspace !== workspace || known.retracted || !known.doubts.includes(id)) continue;
      if (known.untilMs <= nowMs) continue;
      const doubts = known.doubts.filter((other) => other !== id);
      const change = (of: Partial<Known>) =>
        world.known.set(name, { ...known, ...of, untilMs: Math.ceil(nowMs + rememberMs(known.said.rule) * slack) });
      if (proof === 'not-listed') {
        if (known.lowered) continue;
        change({ lowered: true });
        world.verdicts.push({ kind: 'lowered', name, atMs: nowMs });
      } else if (event !== null) {
        change({ retracted: true });
        world.verdicts.push({ kind: 'retracted', name, atMs: nowMs });
      } else {
        change({ doubts });
        if (doubts.length === 0) world.verdicts.push({ kind: 'proven', name, atMs: nowMs });
      }
    }
    if (proof === 'not-listed') {
      const anew = (doubted.learned ?? []).map((one) => ({ ...one, before: undefined }));
      concludeAll(workspace, null, asked, anew, false);
    }
    for (const { rule, subject } of doubted.asks ?? []) {
      const configured = options.rules.find((one) => one.rule.id === rule);
      if (configured !== undefined) concludeOne(configured, workspace, subject, null, false);
    }
  }
  function giveUp(workspace: string, id: string): void {
    const doubted = world.doubted.get(join(workspace, id));
    if (doubted === undefined || doubted.event === null) return;
    world.timers.delete(join(workspace, '@unproven', id));
    world.doubted.set(join(workspace, id), { ...doubted, event: null });
    judgeAll(doubted.event, doubted.record.offset, true);
  }

  /** The first that is received of a workspace. */
  function meet(workspace: string): void {
    if (!world.facts.has(workspace)) world.facts.set(workspace, { firstMs: nowMs, come: [], settings: {} });
  }

  /** The same id of a source within 72 hours. Reckoned in whole hours. */
  function isDuplicate({ source, id }: LoggedEvent): boolean {
    const name = join(source, id);
    const hour = Math.floor(nowMs / hourMs);
    if (hour - (seen.get(name) ?? Number.NEGATIVE_INFINITY) <= 72) return true;
    seen.set(name, hour);
    return false;
  }

  function withInventory(before: Facts | undefined, { data, workspace }: LoggedEvent): Facts {
    const facts = before ?? { firstMs: nowMs, come: [], settings: {} };
    const { 'tripline.inventory.part': part, 'tripline.inventory.parts': of } = data as Required<Attributes>;
    const come = [...new Set([...(facts.of === of ? facts.come : []), part])];
    const own = workspace.startsWith('tripline-drill-') ? (data as Attributes)['tripline.inventory.settings'] : {};
    const whole = facts.wholeMs === undefined && come.length >= of ? { wholeMs: nowMs } : {};
    return { ...facts, ...whole, of, come, settings: { ...facts.settings, ...own } };
  }

  function fireUntil(dueByMs: number): void {
    let firedMs: number | undefined;
    for (;;) {
      const due = [...world.timers].filter(([, { dueMs }]) => dueMs <= dueByMs);
      due.sort(([a, one], [b, other]) => one.dueMs - other.dueMs || (a < b ? -1 : 1));
      if (firedMs !== undefined && due[0]?.[1].dueMs !== firedMs) supersede();
      if (due.length === 0) return;
      const [name, timer] = due[0]!;
      firedMs = timer.dueMs;
      world.timers.delete(name);
      if (timer.rule === '@unproven') {
        nowMs = Math.max(nowMs, timer.dueMs);
        giveUp(timer.workspace, timer.id);
        continue;
      }
      const concluding = options.rules.find(({ rule }) => `subject:${rule.id}` === timer.rule && rule.concludes);
      if (concluding !== undefined) {
        nowMs = Math.max(nowMs, timer.dueMs);
        const failed = attempt(() => concludeOne(concluding, timer.workspace, timer.id, null, false));
        if (failed) poison.push(`${timer.id} ${concluding.rule.id}`);
        continue;
      }
      const configured = options.rules.find(({ rule }) => rule.id === timer.rule);
      if (configured?.rule.due === undefined) continue;
      nowMs = Math.max(nowMs, timer.dueMs);
      const failed = attempt(() =>
        configured.rule.due!(timer, contextOf(configured, timer.workspace, timer.keys, null)),
      );
      if (failed) poison.push(`${timer.id} ${timer.rule}`);
    }
  }

  /** True when it threw: then nothing of it was done. */
  function attempt(call: () => void): boolean {
    const before = copyOf(world);
    try {
      call();
      return false;
    } catch {
      world = before;
      return true;
    }
  }

  function contextOf(
    configured: OracleRule,
    workspace: string,
    keys: readonly string[],
    event: LoggedEvent | null,
    doubts = false,
  ): RuleContext<unknown, unknown> {
    const { rule } = configured;
    const facts = world.facts.get(workspace);
    const untilMs = (keepMs: number) => Math.ceil(nowMs + keepMs * slack);
    const place = (key: string) => {
      if (!keys.includes(key)) throw new Error(`${key} was not named`);
      return join(workspace, rule.id, key);
    };
    const nameFor = (of: { subject: string; occasion?: string }) =>
      nameOf({ workspace, rule: rule.id, subject: of.subject, occasion: of.occasion ?? event!.id });
    const learningMs = options.learningDays * 24 * hourMs;
    const learning = rule.learns && facts?.wholeMs === undefined && nowMs < (facts?.firstMs ?? nowMs) + learningMs;
    /** It is found again though it was explained: as grave as it is now. */
    function raise(name: string, known: Known, draft: FindingDraft): Known {
      const severity = draft.severity ?? rule.severity;
      if (severity === 'low') return known;
      world.verdicts.push({ kind: 'grown', name, atMs: nowMs, entities: [], severity, raised: true });
      return { ...known, lowered: false, explained: false, severity };
    }
    function growFrom(name: string, known: Known, draft: FindingDraft, doubted: readonly string[]): void {
      let next = known;
      if (known.doubts.length > 0 && doubted.length === 0) {
        next = { ...next, doubts: [] };
        world.verdicts.push({ kind: 'proven', name, atMs: nowMs });
      }
      if (known.explained) next = raise(name, next, draft);
      if (doubted.every((id) => known.doubts.includes(id))) {
        const events = draft.evidence.map(({ eventId }) => eventId).filter((id) => !next.told.includes(id));
        const entities = draft.entities.filter((entity) => !next.named.some((one) => isOneThing(one, entity)));
        const severity = draft.severity ?? rule.severity;
        const rises = !next.lowered && severities.indexOf(severity) > severities.indexOf(next.severity);
        const [told, fresh] = [events.slice(0, 40 - next.told.length), entities.slice(0, 60 - next.named.length)];
        if (told.length + fresh.length > 0 || rises) {
          const runs = fresh.flatMap(runOf);
          next = {
            ...next,
            runs: [...new Set([...next.runs, ...runs])],
            told: [...next.told, ...told],
            named: [...next.named, ...fresh],
            severity: rises ? severity : next.severity,
          };
          const more = rises ? { severity } : {};
          world.verdicts.push({ kind: 'grown', name, atMs: nowMs, entities: fresh, ...more });
        }
      }
      if (next !== known) world.known.set(name, { ...next, untilMs: untilMs(rememberMs(rule.id)) });
      if (next.told !== known.told) pairByActs(name, world.known.get(name)!, actsOf(draft));
    }
    function actsOf({ acts }: FindingDraft): readonly string[] {
      return acts ?? (event === null ? [] : [event.fact ?? event.id]);
    }
    return {
      workspace,
      nowMs,
      settings: settingsOf(configured, facts),
      learning,
      keys,
      holds: (key) => keys.includes(key),
      get(key) {
        const kept = world.state.get(place(key));
        return kept && kept.untilMs > nowMs ? JSON.parse(kept.json) : undefined;
      },
      set: (key, value, keepMs) =>
        void world.state.set(place(key), {
          ...{ json: JSON.stringify(value), sureMs: nowMs + keepMs, untilMs: untilMs(keepMs) },
        }),
      delete: (key) => void world.state.delete(place(key)),
      setTimer: ({ id, dueMs, keys: of }) =>
        void world.timers.set(join(workspace, rule.id, id), {
          ...{ id, dueMs: Math.ceil(dueMs), keys: of, workspace, rule: rule.id },
        }),
      clearTimer: (id) => void world.timers.delete(join(workspace, rule.id, id)),
      find(draft: FindingDraft) {
        if (learning) return;
        const name = nameFor(draft);
        const known = remembered(name);
        const events = [draft.decidedBy?.eventId ?? event?.id ?? '', ...draft.evidence.map(({ eventId }) => eventId)];
        if (doubts) events.push(event!.id);
        const doubted = [...new Set(events)].filter((id) => world.doubted.has(join(workspace, id)));
        if (known && !known.retracted) {
          growFrom(name, known, draft, doubted);
          return;
        }
        const said: Said = {
          ...{ workspace, rule: rule.id, subject: draft.subject, occasion: draft.occasion ?? event!.id },
          ...{ severity: draft.severity ?? rule.severity, title: draft.title, entities: draft.entities },
          ...{ response: draft.response, atMs: nowMs },
        };
        const runs = draft.entities.flatMap(runOf);
        const told = draft.evidence.map(({ eventId }) => eventId).slice(0, 40);
        const named = draft.entities.slice(0, 60);
        const former = known ?? { said, runs, told, named, severity: said.severity };
        const until = { retracted: false, untilMs: untilMs(rememberMs(rule.id)) };
        const fresh = { ...until, doubts: doubted, lowered: false, explained: false };
        const related = { narrower: known?.narrower ?? [], twins: known?.twins ?? [] };
        world.known.set(name, { ...former, ...related, ...fresh, said });
        world.verdicts.push({ kind: 'found', said, unproven: doubted.length > 0 });
        pairByActs(name, world.known.get(name)!, actsOf(draft));
        if (known?.lowered) world.known.set(name, raise(name, world.known.get(name)!, draft));
        if (known) growFrom(name, world.known.get(name)!, draft, doubted);
      },
      retract(finding) {
        const name = nameFor(finding);
        const known = remembered(name);
        if (!known || known.retracted) return;
        const { because } = finding;
        if (doubts || because?.some((id) => world.doubted.has(join(workspace, id))) || (known.lowered && !because)) {
          if (known.lowered) return;
          const as = { lowered: true, explained: true };
          world.known.set(name, { ...known, ...as, untilMs: untilMs(rememberMs(rule.id)) });
          world.verdicts.push({ kind: 'lowered', name, atMs: nowMs });
          return;
        }
        world.known.set(name, { ...known, retracted: true, untilMs: untilMs(rememberMs(rule.id)) });
        world.verdicts.push({ kind: 'retracted', name, atMs: nowMs });
      },
      lookUp(question) {
        const name = join(workspace, question.id);
        if ((world.asked.get(name) ?? 0) > nowMs) return;
        world.asked.set(name, untilMs(memoryMs));
        world.lookUps.push({ ...question, workspace });
      },
      doubtOf(id) {
        const of = world.doubted.get(join(workspace, id));
        return of && (of.refuted ? 'refuted' : 'unproven');
      },
      tainted: (run) =>
        [...world.known.values()].some(
          ({ said, runs, retracted, untilMs: end }) =>
            said.workspace === workspace && runs.includes(run) && !retracted && end > nowMs,
        ),
    };
  }

  /** How long a rule's findings are remembered. */
  function rememberMs(id: string): number {
    const rule = options.rules.find((one) => one.rule.id === id)?.rule;
    return rule?.rememberMs ?? Math.max(memoryMs, ...(rule?.concludes?.uses ?? []).map(({ keepMs }) => keepMs));
  }

  function remembered(name: string): Known | undefined {
    const known = world.known.get(name);
    return known && known.untilMs > nowMs ? known : undefined;
  }

  return {
    verdicts: world.verdicts,
    lookUps: world.lookUps,
    questions: world.questions,
    poison,
    workspaces: [...world.facts.keys()],
    state: new Map(
      [...world.state].flatMap(([name, { json, sureMs, untilMs: end }]) =>
        end > nowMs ? [[name, { value: JSON.parse(json), isSure: sureMs > nowMs }] as const] : [],
      ),
    ),
    timers: new Map([...world.timers].map(([name, { dueMs }]) => [name, dueMs])),
    logTimeMs: nowMs,
  };
}

/** The user's settings of a rule, and over them those that a drill's inventory gave. */
function settingsOf({ rule, written }: OracleRule, facts: Facts | undefined): unknown {
  return rule.settings.parse({ ...written, ...facts?.settings[rule.id] });
}
