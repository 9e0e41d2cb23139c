import type { Attributes } from '@tripline/contracts/attributes';
import type { TriplineEvent } from '@tripline/contracts/event';
import { seeded } from '@tripline/testing/timeline/any-order';
import {
  type Attack,
  type BenchTimeline,
  branchWork,
  bypassedReview,
  type Chance,
  change,
  type Delivery,
  deployKey,
  deployment,
  inventoryOf,
  nightly,
  type Setting,
  strangeRunner,
  talk,
  unreviewedBuild,
} from './timelines.ts';

/**
 * One corpus for every contestant: many organisations, whose timelines run side by side, so that deliveries of one
 * interleave with those of others. One timeline in `attackEvery` is an attack, of each kind in turn. The same options give
 * the same corpus.
 */
export type CorpusOptions = {
  deliveries: number;
  workspaces: number;
  /** One timeline in so many is an attack. */
  attackEvery: number;
  seed: number;
  /** When the first delivery happened, ms since the epoch. */
  startMs: number;
  /** How long after the one before each delivery happened, ms; 1 unless told otherwise. */
  everyMs?: number;
  /** Where branches stood when it began, as the corpus before left them; as the inventories say unless told otherwise. */
  tips?: Map<string, string>;
  /** With attacks that an answer of the provider's API decides, which only a log that was filled beforehand has. */
  answered?: boolean;
};

export type Corpus = {
  deliveries: Delivery[];
  /** What must be found and nothing else, with the index of the delivery that decides it. */
  attacks: (Attack & { deciding: number })[];
  /** What the provider's API answered, by the index of the delivery after which it did. */
  answers: Map<number, TriplineEvent>;
  /** What stood when the first delivery happened, `startMs`, by workspace: without it a rule that learns finds nothing yet. */
  inventories: Map<string, Attributes>;
  startMs: number;
};

/** Of a hundred honest timelines, how many are of a kind. */
const honest = [
  { share: 45, of: change },
  { share: 25, of: branchWork },
  { share: 10, of: nightly },
  { share: 10, of: deployment },
  { share: 10, of: talk },
];
const attacks = [unreviewedBuild, strangeRunner, deployKey];
type MakeTimeline = (setting: Setting) => BenchTimeline;
const atOnce = 48;

export function makeCorpus(options: CorpusOptions): Corpus {
  const chance = createChance(options.seed);
  const corpus: Corpus = {
    deliveries: [],
    attacks: [],
    answers: new Map(),
    inventories: new Map(),
    startMs: options.startMs,
  };
  const organizations = Array.from({ length: options.workspaces }, (_, index) => `bench-org-${index}`);
  for (const name of organizations) corpus.inventories.set(name, inventoryOf(name));

  const { everyMs = 1, tips = new Map<string, string>() } = options;
  const kinds: MakeTimeline[] = options.answered === true ? [...attacks, bypassedReview] : attacks;
  type Open = BenchTimeline & { told: number };
  let timelines = 0;
  const begin = (): Open => {
    timelines += 1;
    const setting = { organization: organizations[chance.upTo(organizations.length)]!, chance, tips };
    const make = timelines % options.attackEvery === 0 ? nextAttack() : pick(chance.upTo(100));
    return { ...make(setting), told: 0 };
  };
  let attacked = 0;
  const nextAttack = () => kinds[attacked++ % kinds.length]!;

  const open: Open[] = [];
  while (corpus.deliveries.length < options.deliveries) {
    while (open.length < atOnce) open.push(begin());
    const at = chance.upTo(open.length);
    const timeline = open[at]!;
    const time = new Date(options.startMs + corpus.deliveries.length * everyMs).toISOString();
    if (timeline.attack?.deciding === timeline.told) {
      const { rule, mark, answer } = timeline.attack;
      const deciding = corpus.deliveries.length;
      corpus.attacks.push({ rule, mark, deciding });
      if (answer !== undefined) corpus.answers.set(deciding, answer(time));
    }
    corpus.deliveries.push(timeline.steps[timeline.told]!(time));
    timeline.told += 1;
    if (timeline.told === timeline.steps.length) open.splice(at, 1);
  }
  return corpus;
}

export function createChance(seed: number): Chance {
  const next = seeded(seed);
  let serial = 1_000_000 + seed;
  return {
    sha: () => Array.from({ length: 40 }, () => Math.floor(next() * 16).toString(16)).join(''),
    serial: () => ++serial,
    upTo: (below) => Math.floor(next() * below),
  };
}

function pick(chance: number): MakeTimeline {
  let below = 0;
  for (const { share, of } of honest) {
    below += share;
    if (chance < below) return of;
  }
  throw new Error(`the shares of honest timelines add up to ${below}, not to 100`);
}
