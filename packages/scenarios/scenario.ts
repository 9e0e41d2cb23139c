import type { Attributes } from '@tripline/contracts/attributes';
import type { IntentName } from '@tripline/contracts/response';

/**
 * A scenario: the deliveries that a victim's feeds would have shown, in order, ending in what must be found; and its
 * benign twin, the same people doing the honest version of the same work, on which nothing may fire.
 *
 * Bodies are built for a cast (an organisation of its own for each playing, a start time), so that a scenario can be
 * played again and again against one Tripline.
 */
export type Scenario = {
  /** Kebab-case: what `tripline attack` takes. */
  id: string;
  title: string;
  /** Which breach it replays; absent where it shows a weakness that many had. */
  breach?: Breach;
  /** Two to four sentences for a reader who has not heard of it. */
  narrative: string;
  /** Public write-ups rarely show logs, so the order of events is rebuilt from them. */
  provenance: 'reconstructed';
  /** Where the facts come from: name and address. */
  sources: readonly { title: string; url: string }[];
  /** What is true before the first delivery; sent as an inventory event. Its settings shorten waiting (learning, grace), and are told to the viewer. */
  baseline: (cast: Cast) => Attributes;
  attack: (cast: Cast) => readonly ScenarioStep[];
  benign: (cast: Cast) => readonly ScenarioStep[];
  /** What the attack must bring about: all of it, and nothing else. The benign twin must bring about nothing. */
  expects: readonly Expectation[];
};

/** A breach that happened. */
export type Breach = {
  /** Its place in the list of breaches, by which they are told apart where one name stands for several. */
  number: number;
  /** Short, as people call it. */
  name: string;
  /** When it began or, where nobody knows, when it was found: `2022-04` or `2021-03-28`. */
  date: string;
};

export type Cast = {
  /** Login of the organisation, `tripline-drill-<scenario>-<suffix>`; also the workspace. */
  organization: string;
  /** Wall clock at the start, ms since the epoch; steps date their bodies by `startMs + step.atMs`. */
  startMs: number;
  /** A number that differs between playings; ids are made of it so that they never collide. */
  seed: number;
};

export type ScenarioStep = {
  /** Unique within the playing; expectations name it. */
  name: string;
  /** What a viewer should understand by it, one clause in the past tense: "pushed a branch from a fork". */
  says: string;
  /** When it is sent, ms after the start. */
  atMs: number;
  /**
   * `github`: a signed webhook; `github-audit`: a record of the audit log, as it is streamed; `tripline`: a signed CloudEvent of
   * our own, such as a break-glass record; `person`: no delivery, but what somebody does to Tripline, which is to resolve all
   * incidents of the playing.
   */
  source: 'github' | 'github-audit' | 'tripline' | 'person';
  /** X-GitHub-Event, the record's action, the CloudEvents type, or the act's kind. */
  event: string;
  /** The webhook's body, the record, the CloudEvent's data, or the act's attributes. */
  body: Record<string, unknown>;
};

export type Expectation = {
  rule: string;
  /** The step after which the clock runs. */
  decidingStep: string;
  /** For findings that a timer decides: how long after that step the timer is due, in ms. Absent: at once. */
  afterMs?: number;
  /** Actions of its playbook that must be recorded, in order. */
  responses: readonly IntentName[];
  /** Found of what led up to the breach, such as a first theft of a token that is then rotated. */
  before?: true;
};

/** What finds the breach itself first. */
export function firstExpected({ id, expects }: Pick<Scenario, 'id' | 'expects'>): Expectation {
  const first = expects.find(({ before }) => before === undefined);
  if (first === undefined) throw new Error(`${id} expects nothing`);
  return first;
}
