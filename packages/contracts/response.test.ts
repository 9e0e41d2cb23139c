import { expect, test } from 'vitest';
import { placeOf } from './place.ts';
import { formerNames, intentNames, intentSchema } from './response.ts';

test('an intent that does not say where its target is, or which, is none', () => {
  const intent = { action: 'stop-run', provider: 'github', instance: 'github.com', repository: 'acme/app', runId: '7' };
  expect(intentSchema.safeParse(intent).success).toBe(true);
  for (const name of ['provider', 'instance', 'repository', 'runId']) {
    expect(intentSchema.safeParse({ ...intent, [name]: undefined }).success, name).toBe(false);
  }
});

test('every former name leads to an intent, and none is one', () => {
  for (const [former, now] of Object.entries(formerNames)) {
    expect(intentNames).toContain(now);
    expect(intentNames).not.toContain(former);
  }
});

test.each([
  [{ 'vcs.repository.url.full': 'https://GitHub.acme.example/acme/app' }, '//github.com/acme', 'github.acme.example'],
  [{}, '//github.acme.example/acme', 'github.acme.example'],
  [{ 'tripline.provider.instance': 'github.acme.example' }, '//github.com/acme', 'github.acme.example'],
  [{}, '//tripline/acme', 'github.com'],
  [{}, 'urn:x', 'github.com'],
])('a thing is where its event says: %o from %s', (attributes, source, instance) => {
  const data = { 'vcs.provider.name': 'github', ...attributes } as Parameters<typeof placeOf>[0]['data'];
  expect(placeOf({ data, source })).toEqual({ provider: 'github', instance });
});
