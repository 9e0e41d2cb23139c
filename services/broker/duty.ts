import { decidePerson, type PersonAllowed, type PersonAsks } from '@tripline/access/decide-person';
import type { DutySettings } from '@tripline/access/settings';
import { createDutyReader, type DutyReader, type OnDuty } from '@tripline/integrations/pagerduty/duty';
import type { Clock } from '@tripline/runtime/clock';
import type { PoliciesInForce } from './local-policies.ts';

/** So long an answer of PagerDuty's holds, ms: an open request is looked at every few seconds. */
const heldMs = 30_000;
const mostHeld = 1000;

type Person = { id: string; name: string };
/** Whether the person of an account is on duty by one of the schedules, and in words why not. Never rejects. */
export type Duty = (account: Person, schedules: readonly string[]) => Promise<DutyAnswer>;
type DutyAnswer = { is: 'on' } | { is: 'off' | 'unknown'; why: string };

/** Who is whom the settings alone say, by ids: what people write of themselves at PagerDuty proves nothing. */
export function createDuty(
  settings: DutySettings | undefined,
  clock: Pick<Clock, 'nowMs'>,
  read: DutyReader | undefined = settings && createDutyReader(settings),
): Duty {
  const held = new Map<string, { atMs: number; on: OnDuty }>();

  async function ask(user: string, schedules: readonly string[]): Promise<OnDuty> {
    const key = [user, ...schedules].join(' ');
    const known = held.get(key);
    const nowMs = clock.nowMs();
    if (known !== undefined && nowMs >= known.atMs && nowMs - known.atMs < heldMs) return known.on;
    const on = await read!(user, schedules);
    held.delete(key);
    // What is not known is asked again at once.
    if (on.is !== 'unknown') held.set(key, { atMs: nowMs, on });
    if (held.size > mostHeld) held.delete(held.keys().next().value!);
    return on;
  }

  return async ({ id, name }, schedules) => {
    const by = schedules.join(' or ');
    if (settings === undefined)
      return { is: 'off', why: `who is on duty by ${by} is not known: set broker.duty, or take onDuty off the policy` };
    const user = settings.people.find(({ account }) => account === id)?.user;
    if (user === undefined)
      return { is: 'off', why: `${name} is nobody at PagerDuty: name account ${id} in broker.duty.people` };
    const on = await ask(user, schedules);
    if (on.is === 'on') return { is: 'on' };
    if (on.is === 'off')
      return {
        is: 'off',
        why: `${name} is not on duty by ${by}: have somebody who is ask or approve, or change the schedule`,
      };
    return { is: 'unknown', why: `whether ${name} is on duty is not known: ${on.why}; ask again once it answers` };
  };
}

/**
 * As `decidePerson` has it, by the policies alone whose duty whoever asks has. @returns `waits` with why, where that is not known and
 * nothing else allows it: then nothing is given.
 */
export async function decideOnDuty(
  asks: PersonAsks,
  policies: Pick<PoliciesInForce, 'file' | 'lock'>,
  duty: Duty,
): Promise<PersonAllowed | { why: string[] } | { waits: string }> {
  const against = new Map<string, string>();
  let waits: string | undefined;
  for (;;) {
    const allowed = decidePerson(asks, policies, against);
    if ('why' in allowed) return waits === undefined ? allowed : { waits };
    const { who } = allowed.schedules;
    if (who === undefined) return allowed;
    const answer = await duty(allowed.grantee, who);
    if (answer.is === 'on') return allowed;
    if (answer.is === 'unknown') waits ??= answer.why;
    against.set(allowed.policy, answer.why);
  }
}

/** What speaks against an approval, by the duty of whoever gave it; undefined where nothing does. */
export async function faultOfDutyOf(
  account: Person,
  { schedules: { approvedBy } }: PersonAllowed,
  duty: Duty,
): Promise<Exclude<DutyAnswer, { is: 'on' }> | undefined> {
  if (approvedBy === undefined) return undefined;
  const answer = await duty(account, approvedBy);
  return answer.is === 'on' ? undefined : answer;
}
