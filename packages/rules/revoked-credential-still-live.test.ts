import type { EventData } from '@tripline/contracts/event';
import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, type LoggedEventInput, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './revoked-credential-still-live.ts';

const startMs = Date.parse('2026-03-11T09:00:00Z');
const minuteMs = 60_000;
const usual = {
  'tripline.act.via': 'cli',
  'tripline.act.proof': 'os-user',
  'user.name': 'grace',
  'user.id': 'grace',
} as const;

function resolved(minute: number, as: 'true' | 'false', credential = 'token:h/1+x='): LoggedEventInput {
  return at(
    startMs + minute * minuteMs,
    'dev.cdeventsx.tripline-act.performed',
    {
      ...{ ...usual, 'tripline.act.kind': 'incident-resolved', 'tripline.act.target': 'INC-1' },
      ...{ 'tripline.act.resolution': as, 'tripline.act.reason': 'a stolen token' },
      'tripline.act.entities': [
        { kind: 'credential', id: credential },
        { kind: 'user', id: 'mallory' },
      ],
    },
    { id: `act-${minute}` },
  );
}
const reopened = (minute: number): LoggedEventInput =>
  at(
    startMs + minute * minuteMs,
    'dev.cdeventsx.tripline-act.performed',
    {
      ...{ ...usual, 'tripline.act.kind': 'incident-reopened', 'tripline.act.target': 'INC-1' },
      'tripline.act.entities': [{ kind: 'credential', id: 'token:h/1+x=' }],
    },
    { id: `act-${minute}` },
  );
function used(minute: number, more: Partial<EventData<'dev.cdeventsx.tripline-audit.recorded'>> = {}, heard = minute) {
  return at(
    startMs + heard * minuteMs,
    'dev.cdeventsx.tripline-audit.recorded',
    {
      ...{ 'user.name': 'mallory', 'user.id': '9', 'vcs.owner.name': 'acme', 'tripline.audit.action': 'repo.create' },
      ...{ 'tripline.credential.token_hash': 'h/1+x=', ...more },
    },
    { id: `use-${minute}`, time: new Date(startMs + minute * minuteMs).toISOString() },
  );
}
const play = (events: LoggedEventInput[], how = {}) =>
  playTimeline({ rules: [rule], events, untilMs: startMs + 600 * minuteMs, ...how });

test('the token of an incident that was resolved as true is used again, however the log tells it', () => {
  const events = [used(1), resolved(10, 'true'), used(15), used(30), used(40), resolved(50, 'true'), used(70)];
  for (const how of [{}, { duplicated: true }, { restartAfterEach: true }, { batchRecords: 2 }]) {
    const { findings, retracted } = play(events, how);
    expect(findings[0]!.response).toMatchObject([
      { credential: 'credential-authorization', organization: 'acme', user: 'mallory', userId: '9' },
    ]);
    expect(findings.map(({ subject, severity, occasion }) => [subject, severity, occasion])).toEqual([
      ['h/1+x=', 'critical', 'since 2026-03-11T09:10:00.000Z'],
    ]);
    expect(retracted).toEqual([]);
    expect(findings[0]!.entities).toContainEqual(expect.objectContaining({ kind: 'user', id: 'mallory' }));
  }
});

test('used before, or within the grace, though told hours late; resolved as false; reopened; another’s token', () => {
  expect(play([resolved(10, 'true'), used(5, {}, 300), used(19, {}, 301)]).findings).toEqual([]);
  expect(play([resolved(10, 'false'), used(40)]).findings).toEqual([]);
  expect(play([resolved(10, 'true'), reopened(20), used(40)]).findings).toEqual([]);
  expect(play([resolved(10, 'true', 'secret:acme/app/KEY'), used(40)]).findings).toEqual([]);
  expect(play([resolved(10, 'true', 'token:other'), used(40)]).findings).toEqual([]);
});

test('a use after a reopened incident is resolved again is another finding', () => {
  const events = [resolved(10, 'true'), used(25), reopened(30), used(50), resolved(60, 'true'), used(90, {}, 200)];
  expect(play(events).findings.map(({ occasion }) => occasion.slice(17, 22))).toEqual(['09:10', '10:00']);
});

test('a flood of uses changes nothing that stands', () => {
  const flood = Array.from({ length: 60 }, (_, nth) => used(30 + nth));
  const { findings, retracted } = play([resolved(10, 'true'), ...flood]);
  expect([findings.length, retracted.length]).toEqual([1, 0]);
});

test('a personal access token that Tripline revoked, by its id, unless it was approved again', () => {
  const revoked = (state: 'done' | 'failed', verdict = 'act') =>
    at(
      startMs,
      'dev.cdeventsx.tripline-response.finished',
      {
        ...{ 'tripline.response.action': 'revoke-credential', 'tripline.response.finding': 'f1' },
        ...{ 'tripline.response.verdict': verdict, 'tripline.response.state': state },
        'tripline.response.credential': '41',
      },
      { id: 'revoked' },
    );
  const token = { 'tripline.grant.kind': 'personal-access-token', 'tripline.grant.grantee': 'bob' } as const;
  const about = { ...token, 'tripline.grant.target': 'acme', 'tripline.credential.id': '41', 'user.name': 'ada' };
  const approved = at(startMs + 60 * minuteMs, 'dev.cdeventsx.tripline-grant.added', about, { id: 'approved' });
  const use = used(90, { 'tripline.credential.id': '41' });
  expect(play([revoked('done'), use]).findings).toMatchObject([{ subject: '41', severity: 'critical' }]);
  expect(play([revoked('done'), approved, use]).findings).toEqual([]);
  expect(play([revoked('failed'), use]).findings).toEqual([]);
  expect(play([revoked('done', 'dry-run'), use]).findings).toEqual([]);
});

test('without an incident or a revocation, use is work, and nothing is kept of it', () => {
  expectTimeline(rule, '09:00  ada  uses token h1 in acme/app (id 4)');
  const rows = (tokens: readonly string[]) =>
    play(eventsOf(tokens.map((token) => `09:00  ada  uses token ${token} in acme/app (id 4)`).join('\n'))).rows.state;
  expect(rows(['h1', 'h2', 'h3'])).toBe(rows(['h1']));
});
