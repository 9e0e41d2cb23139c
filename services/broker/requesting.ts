import type { Config } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import { isRemediationStopped } from '@tripline/incidents/kill-switch';
import { openAppKey } from '@tripline/integrations/github/app-key';
import { instanceOf } from '@tripline/integrations/github/instance';
import { createRights } from '@tripline/integrations/github/people/rights';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { appendEvents, type EventParts } from './append-events.ts';
import { createDuty } from './duty.ts';
import type { CurrentPolicies } from './local-policies.ts';
import { startEndingRights } from './request-ends.ts';
import { remindInSlack, startRequestMessages } from './request-messages.ts';
import { startRequests } from './requests.ts';
import { countStanding } from './store/requests.ts';

/** Gives people rights by `broker.peopleApp`; undefined where there is none, and then nobody gets any. */
export async function startRequesting(
  parts: EventParts & { config: Config; db: Db; clock: Clock; logger: Logger },
  policies: CurrentPolicies,
): Promise<{ close: () => Promise<void> } | undefined> {
  const { config, db, clock, logger } = parts;
  const { github, broker } = config;
  if (broker.peopleApp === undefined) {
    const standing = await countStanding(db);
    if (standing > 0)
      logger.error(
        { standing },
        'people have rights that nothing takes back: put broker.peopleApp back until they have ended',
      );
    return undefined;
  }
  const onLeftAlive = (reason: string) =>
    logger.error({ reason }, 'revoking a token for rights of people failed; it expires within an hour');
  const requests = startRequests({
    ...{ db, clock, logger, policies, instance: instanceOf(github.apiUrl) },
    rights: createRights(
      { apiUrl: github.apiUrl, id: broker.peopleApp.id, ...openAppKey(broker.peopleApp, { clock }).key },
      { nowMs: clock.nowMs, onLeftAlive },
    ),
    duty: createDuty(broker.duty, clock),
    isStopped: () => isRemediationStopped(db),
    ...(config.slack && { remind: remindInSlack({ clock, slack: config.slack }) }),
    append: (events) => appendEvents(parts, events),
  });
  const ends = startEndingRights({ db, clock, logger });
  const messages =
    config.slack &&
    startRequestMessages({ db, clock, logger, slack: config.slack, publicUrl: broker.stepUp?.publicUrl });
  return {
    async close() {
      await messages?.close();
      await ends.close();
      await requests.close();
    },
  };
}
