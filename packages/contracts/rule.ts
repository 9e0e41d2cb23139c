import type { z } from 'zod';
import type { AttributeName } from './attributes.ts';
import type { EventType, LoggedEvent } from './event.ts';
import type { AnyFact, Fact } from './fact.ts';
import type { BetterName, FeedName } from './feeds.ts';
import type { Confidence, Entity, Evidence, Severity } from './finding.ts';
import type { LookUp } from './job.ts';
import type { Intent } from './response.ts';

/**
 * A rule: one weakness, one file, one id, one heading in the catalogue.
 *
 * A rule is pure. It sees one event (or one timer that it set itself) and the state under the keys that it named, and
 * says what follows through its context. It reads no clock (`context.nowMs` is the log's), and uses neither I/O nor
 * randomness. Given the same log it must give the same findings, and given the events of 72 hours in another order it
 * must end at the same findings: late evidence that explains a finding away is answered with `retract`.
 *
 * `State` is the union of all that the rule keeps, told apart by its keys; `Settings` is what a user may set under
 * `rules.settings.<id>` in tripline.yaml.
 */
export type Rule<State = unknown, Settings = unknown> = {
  /** Kebab-case, also the file's name. */
  id: string;
  title: string;
  /** What it catches and how, for `tripline rules` and the catalogue. Two to five sentences. */
  description: string;
  severity: Severity;
  /** The confidence at its best feed; a finding states its own. */
  confidence: Confidence;
  /** The mission's principles it serves, 1 to 5. */
  principles: readonly (1 | 2 | 3 | 4 | 5)[];
  attack: readonly string[];
  owasp: readonly string[];
  /**
   * Feeds by which it finds what it says: `needs` names those of which any one suffices. `better`: what another one, or the
   * provider's API, would add, as the rest of a sentence.
   */
  feeds: { needs: readonly [FeedName, ...FeedName[]]; better?: Partial<Record<BetterName, string>> };
  /**
   * What becomes of it until its settings are made, where its severity does not say so: it only informs, or finds nothing.
   * `why`: what it lacks and which setting says it, in a sentence.
   */
  untilConfigured?: { does: 'informs' | 'nothing'; why: string };
  /** How it is written, for lists: a row of a table, or a Sigma rule. Absent: a rule of its own. */
  kind?: 'row' | 'sigma';
  /** Known causes of false alarms and what to set against each. */
  falseAlarms: readonly string[];
  /**
   * Why it does not run until `rules.on` of tripline.yaml names it: what it finds is a team's daily work, which some want
   * to read of all the same.
   */
  offByDefault?: string;
  /** What its feeds cannot tell, so that it is not found, and which feed would know. */
  limits?: readonly string[];
  /** The event types it reads. A record of any other type is passed over unparsed, unless another rule reads it. */
  reads: readonly EventType[];
  /**
   * Of those, only events with one of these values, whatever the settings. The engine finds such a rule by the value and
   * asks no other, so that hundreds of them cost an event nothing. What depends on more is for `keys` to pass over.
   */
  where?: { attribute: AttributeName; oneOf: readonly (string | number | boolean)[] };
  /** Of those, only events that have this attribute, whatever its value: what `where` is for one that no values tell. */
  has?: AttributeName;
  settings: z.ZodType<Settings>;
  /** What stands under its keys; a rule without `keys` keeps nothing. */
  state?: z.ZodType<State>;
  /**
   * Ids of wider rules that find the same, less specifically: where a finding of this one stands, theirs of the same
   * subject and occasion is kept, reported to nobody and never acted upon. What users say of this rule (silences,
   * exceptions) so holds for both. A wider rule of the same `settings` lends this one what users set for it.
   */
  supersedes?: readonly string[];
  /**
   * Ids of rules that find by more than its name the act that this one finds by its name alone, whatever subject they give it:
   * where one of theirs rests on the act too, the graver of the two findings is reported alone, and theirs where they are
   * equal. The occasion of this one's findings is the act.
   */
  yieldsTo?: readonly string[];
  /** How long its findings are remembered after they last changed, ms: as long as anything can still change them. 72 hours, or as long as the facts that it uses, unless told otherwise. */
  rememberMs?: number;
  /**
   * Whether findings are held back while the workspace is being learned. `true`: the rule knows what is usual only
   * after `learningMs` (setting of the engine, 14 days) or an inventory import; until then it learns and finds nothing.
   */
  learns: boolean;
  /**
   * The keys of state that `event` touches: everything that `judge` will get, set or delete, and nothing else. Keys
   * are confined to the workspace and the rule. An empty list passes the event over. Absent: it keeps no state, and
   * judges each event.
   */
  keys?: (event: LoggedEvent, settings: Settings) => readonly string[];
  /** Absent where it only concludes from facts. */
  judge?: (event: LoggedEvent, context: RuleContext<State, Settings>) => void;
  /** A timer that `judge` set is due. Its keys are those that were given when it was set. */
  due?: (timer: Timer, context: RuleContext<State, Settings>) => void;
  /** What it concludes from shared facts, beside or instead of `judge`. */
  concludes?: Concludes<Settings>;
};

/**
 * A rule's sentence over shared facts. The engine asks for it whenever a fact changes that concerns one of its subjects,
 * finds what is concluded, and takes back what no longer is. What it says is a function of the facts and the log's time
 * alone, so it holds in any order.
 */
export type Concludes<Settings> = {
  uses: readonly AnyFact[];
  /** Those of them that may concern a subject by themselves; all of them unless told otherwise. A change of another asks only who watches it. */
  about?: readonly AnyFact[];
  /**
   * What a fact keeps only where settings ask for it, by names of that fact's own: few users need what would cost all
   * users. Observations from before the setting was made are missing.
   */
  wants?: { fact: AnyFact; names: (settings: Settings) => readonly string[] };
  /**
   * The subjects that a changed fact concerns by itself: texts of the rule's own, such as a run's key. Those that `watch` it
   * are asked anyway. A finding belongs to the one subject that concludes it. `before`: the fact's value until then; where
   * it differs in nothing that the rule asks for, no subject need be asked.
   */
  subjects: (changed: ChangedFact, settings: Settings) => readonly string[];
  /**
   * Whether a change of a value may matter to the subjects that watch it; any does unless told otherwise. Most changes
   * of something that changes all day, such as a branch, are irrelevant to a rule.
   */
  matters?: (changed: ChangedFact) => boolean;
  /**
   * On one of these facts every finding of the rule rests, under the key that `key` makes of its subject. While nothing is
   * known there, nothing can be concluded, and nothing that stands can change: the subject is not asked.
   */
  begins?: { facts: readonly AnyFact[]; key: (subject: string) => string };
  /** All that stands of `subject` now. */
  conclude: (subject: string, context: ConcludeContext<Settings>) => readonly Conclusion[];
};

/** A fact that knows something new under a key; `before` is its value until then. */
type ChangedFact = { fact: string; key: string; value: unknown; before: unknown };

export type ConcludeContext<Settings> = Pick<
  RuleContext<unknown, Settings>,
  'workspace' | 'nowMs' | 'settings' | 'learning' | 'lookUp' | 'doubtOf'
> & {
  /**
   * What was received before it counts as usual, of a rule that `learns`: the log's time at which learning ended or will end.
   * Nothing is usual to one that does not.
   */
  learnedUntilMs: number;
  /**
   * The same, of what no inventory tells, such as who registers runners: when the learning period is over, whatever was imported
   * meanwhile.
   */
  unlistedLearnedUntilMs: number;
  /**
   * True while a finding stands that names this run, by its key (or by its name, where no event told an id): nothing may be
   * learned from it. Asked of any run.
   */
  tainted: (run: string) => boolean;
  /** What is known of a thing. A change of it alone asks nothing anew. */
  read: <Value>(fact: Fact<Value>, key: string) => Value | undefined;
  /** The same, and the subject is concluded anew whenever it changes. */
  watch: <Value>(fact: Fact<Value>, key: string) => Value | undefined;
  /** Concludes the subject anew at `ms` of the log's time; of several the earliest. One that has passed asks nothing. */
  recheckAt: (ms: number) => void;
  /** Says why nothing is concluded here; it becomes the reason where a finding is retracted. */
  explain: (reason: string) => void;
};

/**
 * A finding as it is concluded. Evidence, confidence (never surer than its feeds) and the deciding event (the latest by
 * its own time) follow from `because`. The observations that it rests on are pinned; if one of them is lost, the
 * finding is frozen: it neither grows nor is retracted any more.
 */
export type Conclusion = Omit<FindingDraft, 'occasion' | 'evidence' | 'decidedBy' | 'confidence' | 'acts'> & {
  occasion: string;
  /** At most, whatever the feeds are worth; high unless told otherwise. */
  confidence?: Confidence;
  because: readonly Because[];
  /** Acts that it is of, which others find by records that it does not rest on. */
  acts?: readonly string[];
  /**
   * Until then, by the log's time, it is not found where it does not stand, and left as it is where it stands: what may yet
   * explain something delays that it is told, and never takes back what was. `Infinity` where what is known now would have
   * nothing found, and proves nothing either.
   */
  heldUntilMs?: number;
};
/**
 * An observation, as a line of evidence. `act`: which act it tells, where others may tell it too: together they are as sure as
 * the surest, and a rule that finds the act by its name alone may yield to this one.
 */
export type Because = { fact: AnyFact; key: string; evidence: Evidence; trust: Confidence; act?: string };

export type Timer = {
  /** Unique within the rule and workspace; setting it again moves it. */
  id: string;
  /** The log's time at which it is due, ms since the epoch. */
  dueMs: number;
  /** Keys of state that `due` may touch. */
  keys: readonly string[];
};

export type RuleContext<State, Settings> = {
  workspace: string;
  /** The log's time in ms since the epoch: the event's append time, or the timer's due time. */
  nowMs: number;
  settings: Settings;
  /** True while findings of a rule that `learns` are held back for this workspace. `find` then does nothing. */
  learning: boolean;
  /** What `keys` named for this event, or the timer for itself, in that order: a key need not be made twice. */
  keys: readonly string[];
  /** Whether `key` was named, so that its state may be touched. */
  holds: (key: string) => boolean;
  /** State under a key, or undefined. Throws on a key that `keys` did not name. The value is the rule's own: treat it as immutable, `set` a new one. */
  get: (key: string) => State | undefined;
  /**
   * Keeps `value` for at least `keepMs` without another `set`, and at most 1.5 times as long: it bounds memory and is no
   * exact window, for which a rule keeps times of its own. Kept as JSON: no undefined, no dates, no maps. Setting an
   * equal value writes nothing while at least `keepMs` is left; sharing with what `get` gave makes it cheap to see that.
   * What is kept must not be changed any more.
   */
  set: (key: string, value: State, keepMs: number) => void;
  delete: (key: string) => void;
  /** Asks for `due` at `dueMs` of the log's time; an overdue one fires before the next event. */
  setTimer: (timer: Timer) => void;
  clearTimer: (id: string) => void;
  /** Reports a finding. The same (subject, occasion) again is the same finding: it adds nothing, unless it was retracted; then it stands again. */
  find: (draft: FindingDraft) => void;
  /**
   * Takes a finding back because late evidence explains it; nothing when there is none, or a person has resolved it
   * already. `because`: ids of the events that explain it. While the provider's list has not confirmed one of them, the
   * finding is lowered instead: it stays, but is neither reported nor acted upon any more.
   */
  retract: (finding: { subject: string; occasion: string; reason: string; because?: readonly string[] }) => void;
  /** Asks the provider's API a question; the answer comes as an event `dev.cdeventsx.tripline-change.looked-up` with `tripline.lookup.id`. Asked once per id. */
  lookUp: (question: LookUp) => void;
  /**
   * Doubt about an event: its body was received before under another id, and the provider's list has not confirmed the
   * delivery (`unproven`), or does not name it (`refuted`). Undefined where there is none. A doubted event must not
   * keep a rule from finding; `retract` with it in `because` lowers the finding. Facts are shown without what a refuted
   * event told.
   */
  doubtOf: (eventId: string) => 'unproven' | 'refuted' | undefined;
  /** True when a finding that is not retracted names this run (an entity of kind `run`) so far: nothing may be learned from it. Only for runs that `keys` named as `runKey(...)`. */
  tainted: (run: string) => boolean;
};

/** The key under which a rule names a run in `keys` so that it may ask `tainted`. The engine keeps it. `run` is the key of its entity, or `owner/name#run` where no event told an id. */
export function runKey(run: string): string {
  return `@run:${run}`;
}

export type FindingDraft = {
  subject: string;
  /** Defaults to the deciding event's id. Required from `due`. */
  occasion?: string;
  title: string;
  summary: string;
  severity?: Severity;
  confidence: Confidence;
  evidence: readonly Evidence[];
  entities: readonly Entity[];
  /** In any order; the engine sorts by the playbook's rank. */
  response: readonly Intent[];
  remedy: readonly string[];
  /** The event that decided, when it is not the one being judged. Required from `due`. */
  decidedBy?: { eventId: string; time: string };
  /** Acts that it rests on and others may find too: `fact` of their events, or the event's id. The deciding event's by default. */
  acts?: readonly string[];
};

/** Gives a rule its types. A rule outside this repository imports this from `@tripline/contracts/rule`. */
export function defineRule<State, Settings>(rule: Rule<State, Settings>): Rule<State, Settings> {
  return rule;
}

/** A rule whose own types are no longer of interest: what registries and the engine hold. */
// biome-ignore lint/suspicious/noExplicitAny: State and Settings stand in both directions, so only `any` accepts every rule.
export type AnyRule = Rule<any, any>;
