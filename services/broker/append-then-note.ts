import type { Config } from '@tripline/config/config';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { CurrentPolicies } from './local-policies.ts';

/** What holds unchanged is told again after so long, ms, so that the detector does not forget it. */
export const againMs = 7 * 86_400_000;
const eventsAtOnce = 200;

/** What those work with who tell the log of what holds. */
export type TellingParts = {
  config: Pick<Config, 'github' | 'workspaces' | 'drills' | 'broker'>;
  db: Db;
  clock: Clock;
  logger: Logger;
  policies: CurrentPolicies;
  append: (events: readonly TriplineEvent[]) => Promise<unknown>;
};

/** An event, and what is known as told once the log has it: that something holds, or that it is gone. */
export type Telling<Told, Gone> = { event: TriplineEvent; told?: Told; gone?: Gone };

/**
 * Appends some events at a time, and only then notes what they told: who stops between the two tells those again.
 * @returns number of events.
 */
export async function appendThenNote<Told, Gone>(
  tellings: readonly Telling<Told, Gone>[],
  append: TellingParts['append'],
  note: (of: { told: Told[]; gone: Gone[] }) => Promise<unknown>,
): Promise<number> {
  for (let at = 0; at < tellings.length; at += eventsAtOnce) {
    const some = tellings.slice(at, at + eventsAtOnce);
    await append(some.map(({ event }) => event));
    await note({
      told: some.flatMap(({ told }) => (told === undefined ? [] : [told])),
      gone: some.flatMap(({ gone }) => (gone === undefined ? [] : [gone])),
    });
  }
  return tellings.length;
}
