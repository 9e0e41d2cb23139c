import type { ResponseStep } from '@tripline/contracts/response';
import type { Check } from '@tripline/integrations/github/actions/action';
import { actionOf } from '@tripline/integrations/github/actions/registry';
import { type GitHubApp, NoToken, withAppToken } from '@tripline/integrations/github/app-token';
import type { Outcome } from '@tripline/integrations/outcome';
import type { Clock } from '@tripline/runtime/clock';
import { failpoint } from '@tripline/runtime/failpoint';

/** The kill switch was thrown between the claim and a request. */
export class Stopped extends Error {
  readonly code = 'STOPPED';
}

/** What came of a step, and what GitHub said when it was asked afterwards; null while it is to be tried again. */
export type Performed = { outcome: Outcome; check: Check | null };

/** GitHub's listings may lag behind its deletions by a moment. */
const secondLookAfterMs = 2000;

/**
 * act → check that it is dead, with a token of its own that does not outlive it. `begunBefore`: the request may have
 * been sent already by an attempt whose answer was lost, so GitHub is asked first, and it is sent only if need be.
 * @throws {Stopped} before anything that changes something was sent since the switch was thrown.
 */
export async function perform(
  step: ResponseStep,
  options: {
    app: GitHubApp;
    clock: Clock;
    begunBefore: boolean;
    stopped: () => Promise<boolean>;
    onLeftAlive: (reason: string) => void;
  },
): Promise<Performed> {
  const { app, clock, begunBefore, stopped, onLeftAlive } = options;
  const action = actionOf(step);
  const gate = async () => {
    if (await stopped()) throw new Stopped('The kill switch was thrown before the request was sent');
  };
  // Minting a token is not yet an answer to the attack, but it is a credential that need not exist.
  await gate();
  failpoint('remediator.before-token');
  try {
    const performed = await withAppToken(
      app,
      action.scope(step),
      async (client) => {
        failpoint('remediator.after-token');
        if (begunBefore) {
          const before = await action.check(step, { client });
          failpoint('remediator.after-asking');
          if (before.result === 'dead') return { outcome: doneEarlier, check: before };
        }
        failpoint('remediator.before-act');
        const outcome = await action.act(step, { client, clock, gate });
        failpoint('remediator.after-act');
        if (outcome.kind === 'retry') return { outcome, check: null };
        let check = await action.check(step, { client });
        if (outcome.kind === 'done' && check.result === 'alive') {
          await clock.pause(secondLookAfterMs);
          check = await action.check(step, { client });
        }
        failpoint('remediator.after-check');
        return { outcome, check };
      },
      { manner: 'once', nowMs: clock.nowMs, onLeftAlive },
    );
    failpoint('remediator.after-revoking-token');
    return performed;
  } catch (error) {
    if (error instanceof NoToken) return { outcome: error.outcome, check: null };
    throw error;
  }
}

const doneEarlier: Outcome = {
  kind: 'done',
  reason: 'done-earlier',
  message: 'An attempt whose answer was lost had done it',
};
