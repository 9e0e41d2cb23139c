import type { GuardVerdict } from '@tripline/contracts/job';
import type { Intent, PersonRef, StepTargets } from '@tripline/contracts/response';
import {
  type Action,
  type Asked,
  asked,
  type Check,
  identify,
  organizationId,
} from '@tripline/integrations/github/actions/action';
import { type GitHubApp, NoToken, withAppToken } from '@tripline/integrations/github/app-token';
import type { GitHubClient } from '@tripline/integrations/github/client';
import type { Outcome } from '@tripline/integrations/outcome';
import type { Clock } from '@tripline/runtime/clock';
import { failpoint } from '@tripline/runtime/failpoint';
import type { Gate } from './store/remediations.ts';

/** Between the claim and a request something came up, for which the request was not sent. */
export class Stopped extends Error {
  readonly code = 'STOPPED';
  readonly gate: Exclude<Gate, 'open'>;
  constructor(gate: Exclude<Gate, 'open'>) {
    super(reasons[gate]);
    this.gate = gate;
  }
}
const reasons: Record<Exclude<Gate, 'open'>, string> = {
  'kill-switch': 'The kill switch was thrown before the request was sent',
  withdrawn: 'The finding was withdrawn before the request was sent: late evidence explains it',
  unproven: 'The finding turned out to prove too little before the request was sent',
  taken: 'Another worker has the step',
};

/** What came of a step. */
export type Performed =
  /** `check`: what GitHub said when it was asked afterwards; null while the step is to be tried again. */
  | { kind: 'acted'; outcome: Outcome; check: Check | null }
  /** GitHub was asked, and its answer speaks against it: nothing was sent. `check` where it needs a person all the same. */
  | {
      kind: 'refused';
      verdict: Extract<GuardVerdict, 'not-so' | 'protected' | 'not-configured'>;
      said: string;
      check?: Check;
    }
  /** GitHub could not be asked: nothing was sent. */
  | { kind: 'asked-in-vain'; outcome: Outcome };

/** GitHub's listings may lag behind its deletions by a moment, and an answer may be lost. */
const secondLookAfterMs = 2000;

type Options = {
  /** What the step was resolved to. */
  action: Action;
  app: GitHubApp;
  clock: Clock;
  /** A former attempt may have sent the request, and its answer was lost. */
  sentBefore: boolean;
  stopped: () => Promise<boolean>;
  /** Asked right before each request that changes something. */
  gate: () => Promise<Gate>;
  /** Whom the finding is about, beside those whom the step touches. */
  people: readonly PersonRef[];
  /** Why what the step turned out to touch must not be touched, as a sentence. */
  spares: (targets: StepTargets) => string | undefined;
  /** Numbers of organisations that the target must be of, where its login is none that is configured; absent: it is. */
  ownerIds: readonly string[] | undefined;
  /** Somebody is spared by the number of an account: logins alone do not tell them. */
  needsIds: boolean;
  onLeftAlive: (reason: string) => void;
};

/**
 * ask whether it is so → act → check that it is dead, with a token of its own that does not outlive it.
 * @throws {Stopped} before anything that changes something was sent since the gate was closed.
 */
export async function perform(step: Intent, options: Options): Promise<Performed> {
  const { action, app, clock, stopped, onLeftAlive } = options;
  // Minting a token is not yet an answer to the attack, but it is a credential that need not exist.
  if (await stopped()) throw new Stopped('kill-switch');
  failpoint('remediator.before-token');
  try {
    const performed = await withAppToken(
      app,
      action.scope(step),
      (client) => {
        failpoint('remediator.after-token');
        return askAndAct(step, client, options);
      },
      { manner: 'once', nowMs: clock.nowMs, onLeftAlive },
    );
    failpoint('remediator.after-revoking-token');
    return performed;
  } catch (error) {
    if (!(error instanceof NoToken)) throw error;
    // Without a token nothing was asked. What it may not do it may not do in a minute either.
    if (error.outcome.kind === 'retry') return { kind: 'asked-in-vain', outcome: error.outcome };
    return { kind: 'acted', outcome: error.outcome, check: null };
  }
}

async function askAndAct(planned: Intent, client: GitHubClient, options: Options): Promise<Performed> {
  const { action, clock, sentBefore } = options;
  const answer = await ask(planned, client, options);
  failpoint('remediator.after-asking');
  if (answer.result === 'unknown') {
    const { reason, said, afterMs } = answer;
    const message = `GitHub was asked in vain whether it is so: ${said}`;
    return {
      kind: 'asked-in-vain',
      outcome: { kind: 'retry', reason, message, ...(afterMs === undefined ? {} : { afterMs }) },
    };
  }
  if (answer.result === 'not-so') {
    if (sentBefore) return { kind: 'acted', outcome: doneEarlier, check: await action.check(planned, { client }) };
    const check: Check | undefined = answer.alive && { result: 'alive', said: answer.said };
    return {
      kind: 'refused',
      verdict: 'not-so',
      said: `GitHub says ${answer.said}`.slice(0, 1000),
      ...(check && { check }),
    };
  }
  if ('spared' in answer) return { kind: 'refused', verdict: 'protected', said: answer.spared };
  if ('stranger' in answer) {
    const said = `${answer.stranger} is no organisation of this workspace, by its number either`;
    return { kind: 'refused', verdict: 'not-configured', said };
  }
  const step = answer.now ?? planned;
  const gate = async () => {
    const gate = await options.gate();
    if (gate !== 'open') throw new Stopped(gate);
    failpoint('remediator.after-gate');
  };
  failpoint('remediator.before-act');
  const outcome = await action.act(step, { client, clock, gate });
  failpoint('remediator.after-act');
  if (outcome.kind === 'retry') return { kind: 'acted', outcome, check: null };
  let check = await action.check(step, { client });
  if (outcome.kind === 'done' && check.result !== 'dead') {
    await clock.pause(secondLookAfterMs);
    check = await action.check(step, { client });
  }
  failpoint('remediator.after-check');
  return { kind: 'acted', outcome, check };
}

/**
 * Asks whether the step's thing is so, whether it is ours, and whether it is somebody's who is spared, by GitHub's own
 * numbers where need be.
 */
async function ask(
  step: Intent,
  client: GitHubClient,
  { action, clock, people, spares, needsIds, ownerIds }: Options,
): Promise<Asked | { result: 'so'; spared: string } | { result: 'so'; stranger: string }> {
  if (ownerIds !== undefined) {
    const { owner } = action.scope(step);
    let id: string | undefined;
    const inVain = await asked(clock, async () => {
      id = await organizationId(client, owner);
      return { result: 'so', said: '' };
    });
    if (inVain.result === 'unknown') return inVain;
    if (id === undefined || !ownerIds.includes(id)) return { result: 'so', stranger: owner };
  }
  const answer = await action.ask(step, { client, clock });
  if (answer.result !== 'so') return answer;
  const targets = action.targets(answer.now ?? step);
  const all = [...targets.people, ...(answer.people ?? []), ...people];
  let spared: string | undefined;
  const named = await asked(clock, async () => {
    spared = spares({ ...targets, people: needsIds ? await identify(client, all) : all });
    return answer;
  });
  return spared === undefined ? named : { result: 'so', spared };
}

const doneEarlier: Outcome = {
  kind: 'done',
  reason: 'done-earlier',
  message: 'An attempt whose answer was lost had done it',
};
