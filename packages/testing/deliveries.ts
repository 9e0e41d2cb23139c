import { createHash } from 'node:crypto';
import { rulesByDefault as rules } from '@tripline/rules/registry';
import { github } from '@tripline/sources/github/source';
import { createWorkspaces } from '@tripline/sources/workspace';
import { expect } from 'vitest';
import { type LoggedEventInput, type Played, playTimeline, type Timeline } from './timeline/play.ts';

/** For tests: GitHub's own bodies through its source and all rules. Deliveries are received `s` seconds after this, ms. */
export const startMs = Date.parse('2026-03-11T09:00:00Z');
const workspaces = createWorkspaces({ workspaces: [], drills: true });
const idOf = (name: string) => Number.parseInt(createHash('sha1').update(name).digest('hex').slice(0, 6), 16);
export const user = (login: string) => ({ login, id: idOf(login), type: 'User' });
export const organization = { login: 'acme', id: 77 };
export const repository = (name: string) => ({
  ...{ id: idOf(name), name, full_name: `acme/${name}`, private: true, default_branch: 'main' },
  owner: { ...organization, type: 'Organization' },
});

let deliveries = 0;
function nextId(): string {
  deliveries += 1;
  return `delivery-${deliveries}`;
}
/** A delivery of GitHub's, `s` seconds after the start, under an id of its own unless told otherwise. */
export function told(s: number, event: string, sender: string, body: object, id = nextId()) {
  const rawBody = Buffer.from(JSON.stringify({ ...body, organization, sender: user(sender) }));
  const bodySha256 = createHash('sha256').update(rawBody).digest('hex');
  const headers = { 'x-github-event': event, 'x-github-delivery': id };
  const atMs = startMs + s * 1000;
  const secretScope = { kind: 'anybody' } as const;
  const result = github.normalise({ headers, rawBody, bodySha256, receivedAtMs: atMs, secretScope }, workspaces);
  if (!('event' in result)) throw new Error(JSON.stringify(result));
  return { ...result.event, atMs } as LoggedEventInput & { id: string };
}
/** Plays in one batch, one by one with a restart after each, and doubled: all must come to the same. */
export function play(events: LoggedEventInput[], more: Partial<Timeline> = {}): Played {
  const timeline = { rules, events, untilMs: startMs + 7_200_000, ...more };
  const [whole, ...others] = [{}, { restartAfterEach: true }, { duplicated: true }, { batchRecords: 2 }].map((how) =>
    playTimeline({ ...timeline, ...how }),
  );
  for (const other of others) {
    expect(other.all).toEqual(whole!.all);
    expect(other.retracted).toEqual(whole!.retracted);
    expect(other.changes).toEqual(whole!.changes);
    expect(other.questions).toEqual(whole!.questions);
  }
  expect(whole!.poison.map(({ rule, reason }) => `${rule}: ${reason}`)).toEqual([]);
  return whole!;
}
