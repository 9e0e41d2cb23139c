import { parseEvent } from '@tripline/contracts/event';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createWorkspaces } from '../workspace.ts';
import { githubAudit } from './source.ts';
import { auditTokens, drillTokenOf, verifyToken } from './tokens.ts';

const workspaces = createWorkspaces({ workspaces: [], drills: true });
const normalise = (rawBody: Buffer) =>
  githubAudit.normalise(
    {
      ...{ headers: {}, rawBody, bodySha256: 'a'.repeat(64), receivedAtMs: Date.parse('2026-11-28T04:00:00Z') },
      secretScope: { kind: 'anybody' },
    },
    workspaces,
  );

describe('whatever the bytes', () => {
  const scraps = fc.constantFrom(
    ...['{"event":', '{"action":"git.clone","org":"acme","repo":"acme/app"}', '}', '"', '\n', '\\', '[', ',', '\ufffd'],
    ...['{"event":"{\\"action\\":\\"x\\",\\"org\\":\\"acme\\"}"}', '{"event":{"message":{"action":"x","org":"acme"}}}'],
  );
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.array(scraps, { maxLength: 12 }).map((parts) => Buffer.from(parts.join(''))),
  );
  test('it never throws, and every event that it gives fits its contract', () => {
    fc.assert(
      fc.property(body, (raw) => {
        const told = normalise(raw);
        if ('events' in told) for (const event of told.events) parseEvent(JSON.parse(JSON.stringify(event)));
      }),
      { numRuns: 500 },
    );
  });

  test('each object of a body is an event or left out by its place, none twice and none lost', () => {
    const record = fc.constantFrom(
      ...[{ event: { action: 'x', org: 'acme' } }, { event: 'x' }, { action: 'y', org: 'acme' }, { event: {} }, {}],
    );
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (records) => {
        const told = normalise(Buffer.from(records.map((one) => JSON.stringify(one)).join('\n')));
        if (!('events' in told)) throw new Error('refused whole');
        const isTold = (one: object) => JSON.stringify(one).includes('"action"');
        expect(told.events).toHaveLength(records.filter(isTold).length);
        expect(told.leftOut.map(({ part }) => part)).toEqual(
          records.flatMap((one, nth) => (isTold(one) ? [] : [`record ${nth + 1} of ${records.length}`])),
        );
      }),
    );
  });
});

test('a token is for whom the settings say, and of a workspace that has its own no other', () => {
  const [all, own] = ['a token for everybody', 'a token of acme alone'];
  const off = { drills: false, drillKey: 'a key of drills' };
  expect(auditTokens({ 'github-audit': { tokens: [all] }, workspaces: [], ...off })).toEqual([
    { secret: all, secretScope: { kind: 'anybody' } },
  ]);
  const two = [{ id: 'acme', 'github-audit': { tokens: [own] } }, { id: 'beta' }];
  expect(auditTokens({ 'github-audit': { tokens: [all] }, workspaces: two, ...off })).toEqual([
    { secret: all, secretScope: { kind: 'workspaces', ids: ['beta'], beyond: false } },
    { secret: own, secretScope: { kind: 'workspaces', ids: ['acme'], beyond: false } },
  ]);
  // While it is being moved into the workspace, it stands in both places.
  expect(auditTokens({ 'github-audit': { tokens: [own] }, workspaces: two, ...off })).toEqual([
    { secret: own, secretScope: { kind: 'workspaces', ids: ['beta', 'acme'], beyond: false } },
  ]);
  expect(auditTokens({ workspaces: two.slice(1), ...off })).toEqual([]);
});

test('a drill’s token is valid for drills alone, while they are on; the key that it is made of is none', () => {
  const drillKey = 'a key of drills';
  const tokens = auditTokens({ workspaces: [{ id: 'acme' }], drills: true, drillKey });
  const given = (token: string) => verifyToken({ authorization: `Splunk ${token}` }, tokens);
  expect(given(drillTokenOf(drillKey))).toEqual({ secretScope: { kind: 'drills' } });
  for (const wrong of [drillKey, drillTokenOf('another key of drills')])
    expect(given(wrong)).toMatchObject({ refusal: { reason: 'bad-signature' } });
  expect(auditTokens({ workspaces: [], drills: true })).toEqual([]);
  expect(auditTokens({ workspaces: [], drills: false, drillKey })).toEqual([]);
});
