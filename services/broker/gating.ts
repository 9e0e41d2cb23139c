import type { Config } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import { openAppKey } from '@tripline/integrations/github/app-key';
import { createGitHubGate } from '@tripline/integrations/github/gate';
import { instanceOf } from '@tripline/integrations/github/instance';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import type { Stream } from '@tripline/stream/stream';
import { createEndMeasures } from './end-measures.ts';
import { hearQuestions, startGate } from './gate.ts';
import { createGateMeasures } from './gate-measures.ts';
import { questionType } from './gate-questions.ts';
import type { CurrentPolicies } from './local-policies.ts';
import { toldAfterMs } from './revoke.ts';
import type { StepUps } from './step-up.ts';
import { countAlive } from './store/revocations.ts';
import { createWatch, type Watch, type WatchParts } from './watch.ts';

type Parts = { config: Config; db: Db; stream: Stream; clock: Clock; logger: Logger; metrics: Metrics };

/** How long GitHub may take for one answer of several, ms. */
const timeoutMs = 8000;

/** What of the log is the gate's: for whoever reads it. */
export const gateHears: NonNullable<WatchParts['alsoHears']> = { type: questionType, note: hearQuestions };

/** Answers GitHub's deployment protection rule, for whichever App is asked: of those that mint, or the one that reads. */
export function startGating(
  { config, db, stream, clock, logger, metrics }: Parts,
  policies: CurrentPolicies,
  stepUps: Pick<StepUps, 'open' | 'approvalFor'> | undefined,
): { close: () => Promise<void> } {
  const { github, broker } = config;
  const all = [...broker.apps, ...(github.app === undefined ? [] : [github.app])];
  const apps = all.map((app) => {
    const { key } = openAppKey(app, { clock, timeoutMs });
    return { apiUrl: github.apiUrl, id: app.id, timeoutMs, ...key };
  });
  const onLeftAlive = (reason: string) =>
    logger.error({ reason }, 'revoking a token of the gate failed; it expires within an hour');
  return startGate({
    ...{ config, db, stream, clock, logger, policies, stepUps, instance: instanceOf(github.apiUrl) },
    measures: createGateMeasures(metrics),
    gate: createGitHubGate(apps, { nowMs: () => clock.nowMs(), onLeftAlive }),
  });
}

/** Reads the log for the gate where nothing is given, so that nothing else does. */
export function watchForGate({ db, stream, clock, logger, metrics }: Parts): Promise<Watch> {
  const measures = createEndMeasures(metrics, () => countAlive(db, clock.nowMs() - toldAfterMs));
  return createWatch({ stream, db, clock, logger, measures, alsoHears: gateHears });
}
