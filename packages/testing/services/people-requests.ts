import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import { createDuty } from '@tripline/broker/duty';
import type { PoliciesInForce } from '@tripline/broker/local-policies';
import type { RequestParts } from '@tripline/broker/request-step';
import { workRequests } from '@tripline/broker/requests';
import { answerPrompt } from '@tripline/broker/store/approvals';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';
import { createRights } from '@tripline/integrations/github/people/rights';
import { createLogger } from '@tripline/runtime/logger';
import { type FakePeople, startFakePeople } from '../fakes/github-people.ts';
import { freshDatabase } from '../postgres/postgres.ts';

/** Names of brokers, by which they claim requests. */
export const [one, another] = ['00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b'] as const;
export const minute = 60_000;
const lock = readLock(`
github: { acme/api: { id: '74', owner: '65' } }
teams: { acme/responders: { id: '9', owner: '65' } }
roles: { acme/security_manager: { id: '8136', owner: '65' } }
people: { ada: { id: '11' }, mallory: { id: '12' }, stranger: { id: '99' } }
`);
const usualPeople = `
  fixing: { who: [ada, mallory, stranger], repositories: [acme/api], permission: admin, for: 60m, approvedBy: [ada, mallory] }
  responding: { who: [ada, stranger], teams: [acme/responders], as: maintainer, for: 60m, approvedBy: [mallory] }
  auditing: { who: [ada], roles: [acme/security_manager], for: 60m, approvedBy: [mallory] }
`;
/** Policies of people alone, as YAML below `people`; the usual ones unless told otherwise. */
export const policiesOf = (people = usualPeople): PoliciesInForce => ({
  file: readPolicies(`audience: https://access.acme.example\ntiers: {}\npolicies: {}\npeople:\n${people}`),
  ...{ lock, sha256: 'a'.repeat(64), revision: 'b'.repeat(40) },
});
export const usualAnd = (more: string): PoliciesInForce => policiesOf(`${usualPeople.trimEnd()}\n${more}`);

export const mallory = { id: '12', name: 'mallory' };
export type Change = { kind?: string; permission?: string; grantee?: string; forMs?: number; target?: string };

/**
 * Requests of people over a database of its own and a stand-in for GitHub: ada asks, mallory approves. The clock is moved by tests.
 * For tests only.
 */
export async function startPeopleRequests() {
  const fresh = await freshDatabase();
  const [db, cli] = [fresh.as('broker'), fresh.as('cli')];
  const github: FakePeople = await startFakePeople();
  let asked = 0;
  const appended = new Map<string, TriplineEvent>();
  const lines: string[] = [];
  const s = {
    /** What was logged. */
    lines,
    ...{ owner: fresh.db as Db, db, cli, github, appended, nowMs: Date.now(), isLogAway: false, isStopped: false },
    inForce: policiesOf() as PoliciesInForce | { fault: string },
    parts: undefined as unknown as RequestParts,
    /** Whom PagerDuty says to be on duty, by id there; what it is, where it does not tell. */
    onDuty: new Set<string>() as Set<string> | { why: string },
    async ask(change: Change = {}) {
      asked += 1;
      const id = `ask-${asked}`;
      const { kind = 'collaborator', target = 'acme/api', permission = 'maintain', grantee = 'ada' } = change;
      await cli.pool.query(
        `INSERT INTO access_requests (id, workspace, kind, repository, permission, grantee, for_ms, reason, asked_by, asked_at)
         VALUES ($1, 'acme', $2, $3, $4, $5, $6, 'INC-12', '{"name":"root"}', $7)`,
        [id, kind, target, permission, grantee, change.forMs ?? 30 * minute, new Date(s.nowMs)],
      );
      return id;
    },
    async askForMore(request: string, forMs = 20 * minute) {
      asked += 1;
      const id = `more-${asked}`;
      await cli.pool.query(
        `INSERT INTO access_extensions (id, request, for_ms, reason, asked_by, asked_at) VALUES ($1, $2, $3, 'still', '{"name":"root"}', $4)`,
        [id, request, forMs, new Date(s.nowMs)],
      );
      return id;
    },
    end: (id: string) =>
      cli.pool.query(`INSERT INTO access_request_ends (request, by, at) VALUES ($1, '{}', now())`, [id]),
    /** Steps until nothing is due. */
    async work(by: string = one) {
      for (let steps = 0; steps < 10; steps += 1) if ((await workRequests(s.parts, by)) === 0) return;
    },
    async stateOf(id: string) {
      const { rows } = await db.pool.query(
        'SELECT state, why, ending_why, former, last_fault, given_until FROM access_rights WHERE request = $1',
        [id],
      );
      return rows[0];
    },
    async promptOf(id: string) {
      const { rows } = await db.pool.query(
        `SELECT id, number FROM access_step_ups WHERE asked = $1 AND state = 'open'`,
        [`request ${id}`],
      );
      return rows[0] as { id: string; number: string };
    },
    async answer(
      id: string,
      is: 'approved' | 'refused' = 'approved',
      account = mallory,
      open?: { id: string; number: string },
    ) {
      const prompt = open ?? (await s.promptOf(id));
      const by = { account, method: 'oidc' as const, isPhishingResistant: true, provedAtMs: s.nowMs, restsOn: null };
      const given = is === 'approved' ? { is, number: prompt.number } : { is };
      return answerPrompt(db, prompt.id, given, by, { nowMs: s.nowMs, record: async () => {} });
    },
    /** Asked for, approved and given. */
    async given(change: Change = {}) {
      const id = await s.ask(change);
      await s.work();
      await s.answer(id);
      s.nowMs += 3000;
      await s.work();
      return id;
    },
    told: (id: string) =>
      [...appended.keys()].filter((key) => key.startsWith(`access:request:${id}:`)).map((key) => key.split(':').at(-1)),
    async close() {
      await github.close();
      await fresh.close();
    },
  };
  s.parts = {
    ...{ db, instance: 'github.com', policies: () => s.inForce, isStopped: async () => s.isStopped },
    clock: { nowMs: () => s.nowMs, pause: async () => {} },
    logger: createLogger({ service: 'broker', level: 'trace' }, { write: (line: string) => void lines.push(line) }),
    duty: createDuty(
      {
        ...{ token: 'unused', apiUrl: 'https://api.pagerduty.com' },
        people: [
          { account: '11', name: 'ada', user: 'PADA' },
          { account: '12', name: 'mallory', user: 'PMAL' },
        ],
      },
      { nowMs: () => s.nowMs },
      async (user) => ('why' in s.onDuty ? { is: 'unknown', ...s.onDuty } : { is: s.onDuty.has(user) ? 'on' : 'off' }),
    ),
    rights: createRights(
      { id: '7', apiUrl: github.url, privateKey: github.privateKey, timeoutMs: 10_000 },
      { nowMs: () => s.nowMs, onLeftAlive: (reason) => lines.push(reason) },
    ),
    async append(events) {
      if (s.isLogAway) throw new Error('the log is away');
      for (const event of events) if (!appended.has(event.id)) appended.set(event.id, event);
    },
  };
  return s;
}
export type PeopleRequests = Awaited<ReturnType<typeof startPeopleRequests>>;
