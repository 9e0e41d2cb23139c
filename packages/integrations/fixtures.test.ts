import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '@tripline/config/config';
import { type Intent, intentNames } from '@tripline/contracts/response';
import { noGrants } from '@tripline/testing/intents';
import { sampleReport } from '@tripline/testing/sample-report';
import { describe, expect, test } from 'vitest';
import type { Channel, Notified } from './channel.ts';
import { channels } from './channels.ts';
import { openProviders } from './open-providers.ts';
import type { Step } from './provider.ts';
import { providers } from './providers.ts';

const fixture = (name: string, file: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, name, 'fixtures', file), 'utf8'));

/** An intent, and what the provider makes of it. */
type Case = { intent: Intent; gives: object };

const unnotified: Notified = {
  ...{ version: 0, state: null, lastEvent: 0, createdAt: new Date(0), sentAt: null, reference: undefined },
  ...{ intent: null, generation: 0, superseded: [] },
};
const batching = { gatherMs: 2000, restMs: 30_000, openingMs: 60_000 };

describe.each(channels)('the fixtures of $name', ({ name, load }) => {
  test('first-message.json is what it sends of an incident that nobody has heard of', async () => {
    const channel: Channel = (await load()).open(undefined, { timeoutMs: 1000 });
    const incident = { report: sampleReport(), version: 1, pageGeneration: 0, events: [] };
    const compared = channel.compare(incident, unnotified, { nowMs: 0, batching });
    if (compared.kind !== 'message') throw new Error(`${name} has nothing to say of it: ${compared.kind}`);
    const body = channel.render(compared.message, { possiblyRepeated: false });
    expect({ kind: compared.message.kind, body: plainData(body) }).toEqual(fixture(name, 'first-message.json'));
  });
});

describe.each(providers)('the fixtures of $name', ({ name }) => {
  test('intents.json says what becomes of each intent: a request, or words for a person', async () => {
    const options = { clock: { nowMs: () => 0, pause: async () => {} }, onLeftAlive: () => {}, grants: noGrants };
    const { resolve } = await openProviders(loadConfig({}, '/nonexistent'), options);
    const answerTo = (intent: Intent) => {
      const resolved = resolve(intent);
      return plainData('byHand' in resolved ? resolved : { code: resolved.code, request: resolved.request });
    };
    const cases: Case[] | object = fixture(name, 'intents.json');
    if (!Array.isArray(cases)) {
      const others: Case[] = fixture('github', 'intents.json');
      const intents = others.map(({ intent }) => ({ ...intent, provider: name }));
      return expect(cases).toEqual(intents.map((intent) => ({ intent, gives: answerTo(intent) })));
    }
    expect(new Set(cases.map(({ intent }) => intent.action))).toEqual(new Set(intentNames));
    for (const { intent, gives } of cases) expect(answerTo(intent), JSON.stringify(intent)).toEqual(gives);
  });
});

test('a step that does not say whom and what it touches is no step to the compiler', () => {
  const step: Omit<Step, 'targets'> = {
    ...{ code: 'A1', undo: '', request: { method: 'POST', path: '/' }, notReady: null },
    ownerIn: () => ({ name: 'acme', isOurs: true, remedy: '' }),
    withAccess: () => Promise.reject(new Error('not asked')),
  };
  // @ts-expect-error targets are what the guard holds against remediation.protected: a step without them could touch anybody.
  const without: Step = step;
  expect(without).not.toHaveProperty('targets');
});

const plainData = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
