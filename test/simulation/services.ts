import { generateKeyPairSync } from 'node:crypto';
import { type Config, loadConfig } from '@tripline/config/config';
import { intentNames } from '@tripline/contracts/response';
import type { AnyRule } from '@tripline/contracts/rule';
import type { Db } from '@tripline/db/database';
import { createDetector } from '@tripline/detector/detector';
import { ruleSetOf } from '@tripline/detector/load-rules';
import { publishOutbox } from '@tripline/detector/publish-outbox';
import type { StoreOptions } from '@tripline/engine/keyed-state/state-store';
import { configureRule } from '@tripline/engine/settings';
import { channels } from '@tripline/integrations/channels';
import { providers } from '@tripline/integrations/providers';
import { createNotifier } from '@tripline/notifier/notifier';
import { createRecorder } from '@tripline/recorder/recorder';
import { createRemediator } from '@tripline/remediator/remediator';
import { rulesByDefault as ownRules } from '@tripline/rules/registry';
import type { Logger } from '@tripline/runtime/logger';
import { createMetrics, type Metrics } from '@tripline/runtime/metrics';
import type { Stream } from '@tripline/stream/stream';
import { brokerKey, internalKey } from '../../packages/testing/internal-key.ts';
import { lonelyRule, rules as syntheticRules, throwingRule } from '../detector.rules.ts';
import { clockOf, type Life } from './world.ts';

// What services load when they first need it takes real time, which no seed decides: it is loaded before.
await Promise.all([...channels, ...providers].map(({ load }) => load()));

export const rules: readonly AnyRule[] = [...ownRules, ...syntheticRules, lonelyRule, throwingRule];
const configured = rules.map((rule) => configureRule(rule));

export type Role = 'detector' | 'publisher' | 'recorder' | 'notifier' | 'remediator';
type Parts = { db: Db; stream: Stream; logger: Logger; state: StoreOptions; fetch: typeof globalThis.fetch };

/** Starts the real service of a role, within the life of its process. */
export const start: Record<Role, (parts: Parts, life: Life) => Promise<unknown>> = {
  detector: (parts, life) =>
    createDetector({ config, ...parts, ...platform(life), ruleSet: ruleSetOf(configured, config), worker: false }),
  publisher: async (parts, life) => void publish(parts, life),
  recorder: (parts, life) => createRecorder({ config, ...parts, ...platform(life) }),
  notifier: (parts, life) =>
    createNotifier({ config, ...parts, ...platform(life), timing: { intervalMs: { slack: 100, pagerduty: 50 } } }),
  remediator: (parts, life) => createRemediator({ config, ...parts, ...platform(life) }),
};

/**
 * What the detector's worker does with the outbox, by the clock alone: ever more seldom while nothing waits, since nights
 * and weekends pass here too.
 */
async function publish({ db, stream }: Parts, life: Life): Promise<void> {
  const clock = clockOf(life);
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    // What fails is tried again, as in startPublishing.
    const published = await publishOutbox({ db, stream, config }).catch(() => 0);
    if (published > 0) pauseMs = firstPauseMs;
    await clock.pause(pauseMs);
  }
}
const firstPauseMs = 200;
const longestPauseMs = 2 * 3_600_000;

/** A registry without the figures of the whole Node process, which would be gathered anew for each life. */
const Registry = createMetrics({ service: 'simulation' }).constructor as new () => Metrics;
export const platform = (life: Life) => ({ clock: clockOf(life), metrics: new Registry() });

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const defaults = loadConfig({}, '/nonexistent');

/** Everything is live: messages are sent, and whatever a rule asks for is done, except in drills. */
export const config: Config = {
  ...defaults,
  internalKeys: [internalKey],
  broker: { ...defaults.broker, eventKeys: [brokerKey] },
  slack: {
    botToken: 'simulated',
    channel: 'C1',
    signingSecret: 'simulated',
    apiUrl: 'https://slack.simulated/api/',
    teamId: 'T1',
    appId: 'A1',
    people: {},
  },
  pagerduty: { routingKey: 'simulated', apiUrl: 'https://pagerduty.simulated', minSeverity: 'high' },
  github: { ...defaults.github, apiUrl: 'https://github.simulated', app: { id: '1', privateKey } },
  remediation: {
    ...defaults.remediation,
    mode: 'automatic',
    maxPerHour: 1000,
    policy: rules.map(({ id }) => ({
      rule: id,
      minSeverity: 'low' as const,
      minConfidence: 'low' as const,
      actions: [...intentNames],
    })),
  },
};
