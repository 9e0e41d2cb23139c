/** Each thing that a decision depends on, by the word that policies, tests and denials use. */
export const conditions = [
  ...['policy', 'workspace', 'cap'],
  ...['issuer', 'repository', 'owner', 'pipeline', 'origin', 'contexts'],
  ...['caller', 'workflow', 'event', 'ref', 'environment', 'tier', 'runner', 'network'],
  ...['fork', 'protected', 'ssh-rerun'],
  ...['job', 'log', 'reviewed', 'promoted', 'known-runner', 'incident', 'mfa'],
] as const;
export type Condition = (typeof conditions)[number];

/** Why access is not given. `message` and `help` are sentences for whoever reads the job's log. */
export type Reason = {
  condition: Condition;
  /**
   * `failed`: it does not hold. `unknown`: what would tell has not been received, so asking again may help.
   * `waiting`: somebody has to do something first.
   */
  state: 'failed' | 'unknown' | 'waiting';
  wanted: string;
  found: string;
  message: string;
  help: string;
};

/** `wanted` and `found` read on after `wanted is …, and it is …`; `help`: a sentence. */
export function failed(condition: Condition, wanted: string, found: string, help: string): Reason {
  const message = `${condition}: wanted is ${wanted}, and it is ${found}`;
  return { condition, state: 'failed', wanted, found, message, help };
}

/** `found`: why it is not known, as the rest of a sentence. */
export function unknown(condition: Condition, wanted: string, found: string): Reason {
  const message = `${condition}: wanted is ${wanted}, and ${found}`;
  return { condition, state: 'unknown', wanted, found, message, help: 'Ask again in a few seconds.' };
}

/** `found`: what is lacking, as the rest of a sentence. */
export function waiting(condition: Condition, wanted: string, found: string, help: string): Reason {
  const message = `${condition}: wanted is ${wanted}, and ${found}`;
  return { condition, state: 'waiting', wanted, found, message, help };
}
