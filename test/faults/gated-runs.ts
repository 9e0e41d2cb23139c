import { credentialHash } from '@tripline/runtime/redact';

/** A word of the gate that decides, as GitHub got it. `isTaken`: something waited for it. */
export type GateVerdict = {
  run: string;
  attempt: number;
  environment: string;
  state: 'approved' | 'rejected';
  isTaken: boolean;
};
/** The last word of the gate on a run, and when it came, ms of `performance.now()`. */
type GateWord = { state: 'approved' | 'rejected' | undefined; atMs: number };

/** `what`: of the run, its pending deployments, or a word on one. */
type Asked = { run: string; what: string | undefined; body: string; token: string };

/**
 * Runs of GitHub's whose jobs wait for a gate until it has said yes or no. One that nobody laid is at its first attempt, and waits for
 * production.
 */
export function createGatedRuns() {
  const runs = new Map<string, { attempt: number; waiting: Set<string> }>();
  const words = new Map<string, GateWord>();
  const verdicts: GateVerdict[] = [];
  const usedTokens = new Set<string>();
  const lay = (run: string, attempt = 1, environments: readonly string[] = ['production']) => {
    const laid = { attempt, waiting: new Set(environments) };
    runs.set(run, laid);
    return laid;
  };

  function take(
    run: string,
    { environment_name: environment, state }: { environment_name: string; state?: 'approved' },
  ) {
    const { attempt, waiting } = runs.get(run) ?? lay(run);
    const isTaken = waiting.has(environment);
    words.set(run, { state, atMs: performance.now() });
    if (state !== undefined) {
      verdicts.push({ run, attempt, environment, state, isTaken });
      waiting.delete(environment);
    }
    return isTaken ? { status: 204, body: undefined } : { status: 422, body: { message: 'Nothing waits for it' } };
  }

  return {
    /** By run, in the order in which they came. */
    words,
    verdicts,
    /** SHA-256 of the tokens with which runs were asked about or decided. */
    usedTokens,
    /** An attempt of a run begins, whose jobs wait for these environments. */
    lay: (...of: Parameters<typeof lay>): void => void lay(...of),

    /** Does what one request asks for; see packages/integrations/github/gate.ts. */
    answer({ run, what, body, token }: Asked): { status: number; body: unknown } {
      usedTokens.add(credentialHash(token));
      const { attempt, waiting } = runs.get(run) ?? lay(run);
      if (what === 'deployment_protection_rule') return take(run, JSON.parse(body));
      if (what === 'pending_deployments')
        return { status: 200, body: [...waiting].map((name) => ({ environment: { name } })) };
      const repository = { id: 74, owner: { id: 65 } };
      return { status: 200, body: { id: Number(run), run_attempt: attempt, status: 'waiting', repository } };
    },
  };
}
