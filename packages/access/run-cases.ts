import { decide } from './decide.ts';
import type { LockFile } from './lock.ts';
import type { Case, Policy, PolicyFile } from './policy.ts';
import { conditions, type Reason } from './reason.ts';
import { suppose } from './suppose.ts';

/** A case of a policy that does not come out as it says. `nth`: from 1 on. */
export type CaseFault = { policy: string; nth: number; what: string; reasons: readonly Reason[] };

/** Decides every case of a file, and says which come out otherwise than they expect. */
export function runCases(file: PolicyFile, lock: LockFile): { count: number; faults: CaseFault[] } {
  const all = Object.entries(file.policies).flatMap(([name, policy]) =>
    policy.tests.map((one, place) => ({ name, policy, one, nth: place + 1 })),
  );
  const faults = all.flatMap(({ name, policy, one, nth }) => faultOf(name, policy, one, nth, file, lock));
  return { count: all.length, faults };
}

function faultOf(name: string, policy: Policy, one: Case, nth: number, file: PolicyFile, lock: LockFile): CaseFault[] {
  const fault = (what: string, reasons: readonly Reason[] = []): CaseFault[] => [{ policy: name, nth, what, reasons }];
  const misnamed = (one.because ?? []).filter((word) => !(conditions as readonly string[]).includes(word));
  if (misnamed.length > 0) return fault(`${misnamed.join(', ')} is no condition; they are ${conditions.join(', ')}`);
  const house = { tiers: file.tiers, lock: pinnedFor(policy, lock) };
  const { job, known } = suppose(policy, house, one);
  const { decision, reasons } = decide(job, known, policy, house);
  if (decision !== one.expect) return fault(`expected is ${one.expect}, and it is ${decision}`, reasons);
  const [wanted, found] = [new Set(one.because), new Set<string>(reasons.map(({ condition }) => condition))];
  const differs =
    one.because !== undefined && (wanted.size !== found.size || [...wanted].some((word) => !found.has(word)));
  return differs
    ? fault(
        `expected because of ${[...wanted].join(', ') || 'nothing'}, and it is because of ${[...found].join(', ') || 'nothing'}`,
        reasons,
      )
    : [];
}

/** A test is about conditions: that a name is not pinned yet is told by lint, once. */
function pinnedFor({ who, needs }: Policy, own: LockFile): LockFile {
  const made = { id: '1', owner: '2' };
  const owners = Object.fromEntries((needs.mfa?.owners ?? []).map((name) => [name, { id: '3' }]));
  const lock = { ...own, people: { ...owners, ...own.people } };
  if ('github' in who) return { ...lock, github: { [who.github.repository]: made, ...lock.github } };
  if ('gitlab' in who) return { ...lock, gitlab: { [who.gitlab.repository]: made, ...lock.gitlab } };
  if (!('buildkite' in who)) return lock;
  const whole = `${who.buildkite.organization}/${who.buildkite.pipeline}`;
  return { ...lock, buildkite: { [whole]: made, ...lock.buildkite } };
}
