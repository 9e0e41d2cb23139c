import type { GuardVerdict } from '@tripline/contracts/job';
import type { PersonRef, StepTargets } from '@tripline/contracts/response';
import type { Outcome } from '@tripline/integrations/outcome';
import { type Access, type Asked, type Check, NoAccess, type Step } from '@tripline/integrations/provider';
import type { Clock } from '@tripline/runtime/clock';
import type { Gate } from './store/claims.ts';

/** The request was not sent, for a reason that arose between the claim and the request. */
export class StoppedError extends Error {
  readonly code = 'STOPPED';
  readonly gate: Exclude<Gate, 'open'>;
  constructor(gate: Exclude<Gate, 'open'>) {
    super(reasons[gate]);
    this.gate = gate;
  }
}
const reasons: Record<Exclude<Gate, 'open'>, string> = {
  'kill-switch': 'The kill switch was thrown before the request was sent',
  withdrawn:
    'The finding was retracted before the request was sent: late evidence explains it, or a narrower rule supersedes it',
  unproven: 'The finding turned out to prove too little before the request was sent',
  taken: 'Another worker has the step',
};

/** The result of a step. */
export type Performed =
  /** `check`: what the provider said when it was asked afterwards; null while the step is to be tried again. */
  | { kind: 'acted'; outcome: Outcome; check: Check | null }
  /** The provider was asked, and its answer speaks against it: nothing was sent. `check` where it needs a person all the same. */
  | {
      kind: 'refused';
      verdict: Extract<GuardVerdict, 'not-so' | 'protected' | 'not-configured'>;
      detail: string;
      check?: Check;
    }
  /** The provider did not answer the question: nothing was sent. */
  | { kind: 'not-answered'; outcome: Outcome };

/** A provider's listings may lag behind its deletions by a moment, and an answer may be lost. */
const secondLookAfterMs = 2000;

type Options = {
  /** The provider as people read it. */
  title: string;
  /** The finding's. */
  workspace: string;
  clock: Clock;
  /** A former attempt may have sent the request, and its answer was lost. */
  sentBefore: boolean;
  stopped: () => Promise<boolean>;
  /** Asked right before each request that changes something. */
  gate: () => Promise<Gate>;
  /** Whom the finding is about, beside those whom the step touches. */
  people: readonly PersonRef[];
  /** Why something that the step turned out to touch is protected, as a sentence; undefined where nothing is. */
  spares: (targets: StepTargets) => string | undefined;
  /** The target's owner, and ids of which it must be one where its name is none that is known; absent: it is. */
  owner: { name: string; ids?: readonly string[] | undefined };
  /** `remediation.protected` names an account by its id: logins alone do not identify it. */
  needsIds: boolean;
};

/**
 * ask whether it is so → act → check that it is dead, with an access of its own that ends with it.
 * @throws {StoppedError} before any request that changes something: the gate closed.
 */
export async function perform(step: Step, options: Options): Promise<Performed> {
  // No token is minted while the kill switch is on: a credential that is not needed should not exist.
  if (await options.stopped()) throw new StoppedError('kill-switch');
  try {
    return await step.withAccess((access) => askAndAct(access, options), options.workspace);
  } catch (error) {
    if (!(error instanceof NoAccess)) throw error;
    // Without access nothing was asked. A missing permission does not appear within a minute, so that is final.
    if (error.outcome.kind === 'retry') return { kind: 'not-answered', outcome: error.outcome };
    return { kind: 'acted', outcome: error.outcome, check: null };
  }
}

async function askAndAct(access: Access, options: Options): Promise<Performed> {
  const { title, clock, sentBefore } = options;
  const answer = await ask(access, options);
  if (answer.result === 'unknown') {
    const { reason, detail, afterMs } = answer;
    const message = `${title} could not be asked first: ${detail}`;
    return {
      kind: 'not-answered',
      outcome: { kind: 'retry', reason, message, ...(afterMs === undefined ? {} : { afterMs }) },
    };
  }
  if (answer.result === 'not-so') {
    if (sentBefore) return { kind: 'acted', outcome: doneEarlier, check: await access.check() };
    const check: Check | undefined = answer.alive && { result: 'alive', detail: answer.detail };
    return {
      kind: 'refused',
      verdict: 'not-so',
      detail: `${title} says ${answer.detail}`.slice(0, 1000),
      ...(check && { check }),
    };
  }
  if ('spared' in answer) return { kind: 'refused', verdict: 'protected', detail: answer.spared };
  if ('stranger' in answer) {
    const detail = `${answer.stranger} is no organisation of this workspace, by its number either`;
    return { kind: 'refused', verdict: 'not-configured', detail };
  }
  const gate = async () => {
    const gate = await options.gate();
    if (gate !== 'open') throw new StoppedError(gate);
  };
  const outcome = await access.act(gate);
  if (outcome.kind === 'retry') return { kind: 'acted', outcome, check: null };
  let check = await access.check();
  if (outcome.kind === 'done' && check.result !== 'dead') {
    await clock.pause(secondLookAfterMs);
    check = await access.check();
  }
  return { kind: 'acted', outcome, check };
}

/**
 * Asks whether the step's thing is so, whether it is ours, and whether it belongs to somebody protected, by the
 * provider's ids where needed.
 */
async function ask(
  access: Access,
  { people, spares, needsIds, owner }: Options,
): Promise<Asked | { result: 'so'; spared: string } | { result: 'so'; stranger: string }> {
  if (owner.ids !== undefined) {
    const known = await access.ownerId();
    if (known.result === 'unknown') return known;
    if (known.value === undefined || !owner.ids.includes(known.value)) return { result: 'so', stranger: owner.name };
  }
  const answer = await access.ask();
  if (answer.result !== 'so') return answer;
  const targets = access.targets();
  const all = [...targets.people, ...(answer.people ?? []), ...people];
  const identified = needsIds ? await access.identify(all) : ({ result: 'known', value: all } as const);
  if (identified.result === 'unknown') return identified;
  const spared = spares({ ...targets, people: identified.value });
  return spared === undefined ? answer : { result: 'so', spared };
}

const doneEarlier: Outcome = {
  kind: 'done',
  reason: 'done-earlier',
  message: 'An attempt whose answer was lost had done it',
};
