import type { AnyFact } from '@tripline/contracts/fact';
import type { AnyRule, ConcludeContext, Conclusion, FindingDraft, RuleContext, Timer } from '@tripline/contracts/rule';
import type { ConfiguredRule } from '@tripline/engine/settings';

/** What stands under a key of a fact, or of the rule's own state; null where nothing is known. */
export type Looked = { fact: string | null; key: string; value: unknown };

/** What a rule did with one event, or with one of the subjects that the event concerns. */
export type Step = {
  /** What it concludes of; null where it judges the event itself. */
  subject: string | null;
  looked: Looked[];
  /** Why it says that nothing is found. */
  reasons: string[];
  /** What it would have people told. `heldUntilMs`: not before then, by the log's time. */
  found: { subject: string; occasion: string; title: string; heldUntilMs?: number | undefined }[];
  /** What it waits for, until when by the log's time. */
  waits: { id: string; dueMs: number }[];
  /** The workspace is still learned, so nothing is found. */
  isLearning: boolean;
};

/** A rule that tells what it does, and what it told since it was asked last. */
export function traced(configured: ConfiguredRule): {
  configured: ConfiguredRule;
  take: () => Step[];
  forget: () => void;
} {
  const { rule } = configured;
  let steps: Step[] = [];
  const begin = (subject: string | null, isLearning: boolean): Step => {
    const step: Step = { subject, looked: [], reasons: [], found: [], waits: [], isLearning };
    // Asked again when more of its state is at hand: only the last time counts.
    steps = [...steps.filter((one) => one.subject !== subject), step];
    return step;
  };

  const judge: AnyRule['judge'] =
    rule.judge === undefined
      ? undefined
      : (event, context) => rule.judge!(event, watched(context, begin(null, context.learning)));
  const concludes: AnyRule['concludes'] =
    rule.concludes === undefined
      ? undefined
      : {
          ...rule.concludes,
          conclude(subject, context) {
            const step = begin(subject, context.learning);
            const conclusions = rule.concludes!.conclude(subject, watchedFacts(context, step));
            step.found.push(...conclusions.map(said));
            return conclusions;
          },
        };
  const own: AnyRule = { ...rule, ...(judge && { judge }), ...(concludes && { concludes }) };
  return {
    configured: { ...configured, rule: own },
    take: () => steps,
    forget() {
      steps = [];
    },
  };
}

const said = ({ subject, occasion, title, heldUntilMs }: Conclusion) => ({ subject, occasion, title, heldUntilMs });

/** The context that a rule judges in, telling what it looks at. What is not overlaid is the context's own. */
function watched(context: RuleContext<unknown, unknown>, step: Step): RuleContext<unknown, unknown> {
  return overlaid(context, {
    get(key: string) {
      const value = context.get(key);
      note(step, { fact: null, key, value: value ?? null });
      return value;
    },
    setTimer(timer: Timer) {
      step.waits.push({ id: timer.id, dueMs: timer.dueMs });
      context.setTimer(timer);
    },
    find(draft: FindingDraft) {
      step.found.push({ subject: draft.subject, occasion: draft.occasion ?? '', title: draft.title });
      context.find(draft);
    },
    retract(finding: Parameters<typeof context.retract>[0]) {
      step.reasons.push(finding.reason);
      context.retract(finding);
    },
  });
}

function watchedFacts(context: ConcludeContext<unknown>, step: Step): ConcludeContext<unknown> {
  const looking =
    (look: <Value>(fact: AnyFact, key: string) => Value | undefined) =>
    <Value>(fact: AnyFact, key: string): Value | undefined => {
      const value = look<Value>(fact, key);
      note(step, { fact: fact.id, key, value: value ?? null });
      return value;
    };
  return overlaid(context, {
    read: looking(context.read),
    watch: looking(context.watch),
    recheckAt(ms: number) {
      step.waits.push({ id: 'recheck', dueMs: ms });
      context.recheckAt(ms);
    },
    explain(reason: string) {
      step.reasons.push(reason);
      context.explain(reason);
    },
  });
}

/** Contexts have getters, which must go on showing what holds at the moment. */
const overlaid = <Context extends object>(context: Context, own: Partial<Record<keyof Context, unknown>>): Context =>
  Object.assign(Object.create(context), own) as Context;

function note({ looked }: Step, look: Looked): void {
  const known = looked.findIndex(({ fact, key }) => fact === look.fact && key === look.key);
  if (known === -1) looked.push(look);
  else looked[known] = look;
}
