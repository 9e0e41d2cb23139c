import { createHash, randomBytes, randomInt } from 'node:crypto';
import type { Known } from '@tripline/access/known';
import type { RightKind } from '@tripline/access/people-rights';
import type { Give, Policy } from '@tripline/access/policy';
import type { Asked } from '@tripline/access/who-stands';
import type { Db } from '@tripline/db/database';
import { addNewToQueue } from '@tripline/db/queue';
import { inTransaction } from '@tripline/db/transaction';
import type { PoolClient } from 'pg';
import { linkCounts } from './links.ts';
import { passkeyCounts } from './passkeys.ts';

/** For what somebody stands: this run, attempt, commit, environment and policy, and for nothing else. */
export type StandsFor = {
  workspace: string;
  /** Key of the attempt of the run (keys.ts). */
  run: string;
  sha: string;
  environment: string | null;
  /** With what it gives, and whom it asks: who stood for less does not stand for more, nor for what others are asked by now. */
  policy: { name: string; give: Policy['give']; mfa: Policy['needs']['mfa'] };
};

/** What the page shows, and who may answer: of a run of a job, or of a right that a person asks for. */
export type Shown = ShownRun | ShownRequest;

/** Texts are as the token has them: a stranger may have written any. */
export type ShownRun = {
  repository: { id: string; name: string };
  run: { id: string; attempt: number };
  sha: string;
  ref: string;
  event: string;
  environment: string | null;
  actor: { id: string; name: string };
  policy: string;
  tier: string;
  gives: string[];
  /** Host of the GitHub that it runs at. */
  instance: string;
  /** The commit that the same policy was given for last, where there was one. */
  lastSha: string | null;
  asked: Asked;
  phishingResistant: boolean;
};

/** Texts are as the person wrote them. */
export type ShownRequest = {
  /** `extension`: more time for what they have. */
  request: { id: string; extension?: string; reason: string; askedBy: string; forMs: number };
  kind: RightKind;
  target: { id: string; name: string };
  permission: string;
  grantee: { id: string; name: string };
  policy: string;
  instance: string;
  asked: Asked;
  phishingResistant: boolean;
};

/** Who answers, and how they proved who they are. */
export type Proof = {
  account: { id: string; name: string };
  method: 'oidc' | 'passkey';
  isPhishingResistant: boolean;
  provedAtMs: number;
  /** Id of the passkey or the confirmed link that says who it is; null where the settings or the OpenID provider do. */
  restsOn: string | null;
};

export type StepUp = {
  id: string;
  workspace: string;
  binding: string;
  shown: Shown;
  number: string;
  wrongNumbers: number;
  state: 'open' | 'approved' | 'refused' | 'closed';
  askedAt: Date;
  expiresAt: Date;
};

/**
 * SQL: what `restsOn` of somebody who proved it by `method` names still proves who they are. Of a passkey that a former version
 * did not name nothing is known, so it proves nothing.
 */
const proves = (method: string, restsOn: string): string =>
  `(CASE WHEN ${restsOn} IS NULL THEN ${method} = 'oidc' ELSE ${passkeyCounts(restsOn)} OR ${linkCounts(restsOn)} END)`;
/** SQL: an answer that counts. Who said that it was not they is believed, whatever became of their passkey. */
const counts = `(state = 'refused' OR (state = 'approved' AND ${proves('method', 'rests_on')}))`;

/** How long somebody has to answer. */
export const promptMs = 15 * 60_000;
/**
 * After so many prompts for the same that nobody answered there is none any more: a job that asks for days would write to somebody each
 * quarter of an hour until they approve to have peace.
 */
const mostUnanswered = 8;
/** After so many wrong numbers a prompt is closed: whoever guesses did not read the job's log. */
const mostWrongNumbers = 3;

/** Hex SHA-256 of what an approval is for, by which it is found again. */
export function bindingOf({ workspace, run, sha, environment, policy }: StandsFor): string {
  const parts = [workspace, run, sha, environment, policy.name, policy.give.map(sorted), sorted(policy.mfa ?? null)];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
const sorted = (value: Give | Policy['needs']['mfa'] | null): unknown =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );

/**
 * `waits`: whoever is asked has another prompt open, and is asked again once that is answered. `unanswered`: so many prompts for the
 * same were, and there are no more.
 */
export type Opened =
  | { state: 'open'; id: string; number: string }
  | { state: 'waits'; for: string }
  | { state: 'unanswered'; prompts: number };

/**
 * Asks somebody to stand for a run, or finds the prompt that does. Each person has one open prompt at a time, so that nobody is
 * worn down by many.
 */
export async function openPrompt(
  db: Db,
  of: StandsFor,
  shown: ShownRun,
  { nowMs, linkTo }: { nowMs: number; linkTo: (id: string) => string },
): Promise<Opened> {
  const asked =
    shown.asked.of === 'trigger'
      ? `${shown.instance}/${shown.asked.people[0]?.id ?? ''}`
      : `owners of ${of.policy.name}`;
  return openOf(db, { workspace: of.workspace, binding: bindingOf(of), asked, linkTo }, shown, nowMs);
}

/** Hex SHA-256 of what somebody approves: this right of this account, on or of this, for so long, by this request. */
function bindingOfRequest(workspace: string, shown: ShownRequest): string {
  const { request, kind, target, permission, grantee, policy } = shown;
  const { id, extension = null, forMs } = request;
  const parts = ['request', workspace, id, extension, kind, target.id, permission, grantee.id, forMs, policy];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** Asks the approvers of a request, or finds the prompt that does. Each request has one of its own. `untilMs`: it ends by then. */
export const openRequestPrompt = (
  db: Db,
  workspace: string,
  shown: ShownRequest,
  nowMs: number,
  untilMs?: number,
): Promise<Opened> =>
  openOf(
    db,
    {
      ...{ workspace, binding: bindingOfRequest(workspace, shown), untilMs },
      asked: `request ${shown.request.extension ?? shown.request.id}`,
    },
    shown,
    nowMs,
  );

/** What was answered to exactly this request. Whoever once refused it is believed, whatever others say. */
export async function readRequestAnswer(
  db: Db,
  workspace: string,
  shown: ShownRequest,
): Promise<({ is: 'approved' | 'refused' } & Omit<Proof, 'provedAtMs' | 'restsOn'>) | undefined> {
  const { rows } = await db.pool.query<{ is: 'approved' | 'refused' } & Omit<Proof, 'provedAtMs' | 'restsOn'>>(
    `SELECT state AS is, answered_by AS account, method, phishing_resistant AS "isPhishingResistant"
     FROM access_step_ups WHERE binding = $1 AND ${counts}
     ORDER BY state = 'refused' DESC, answered_at DESC, id LIMIT 1`,
    [bindingOfRequest(workspace, shown)],
  );
  return rows[0];
}

async function openOf(
  db: Db,
  {
    workspace,
    binding,
    asked,
    linkTo,
    untilMs = Number.POSITIVE_INFINITY,
  }: {
    workspace: string;
    binding: string;
    asked: string;
    linkTo?: (id: string) => string;
    untilMs?: number | undefined;
  },
  shown: Shown,
  nowMs: number,
): Promise<Opened> {
  const now = new Date(nowMs);
  return inTransaction(db, async (client) => {
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 1))', [`${workspace}/${asked}`]);
    await client.query(
      `UPDATE access_step_ups SET state = 'closed'
       WHERE workspace = $1 AND asked = $2 AND state = 'open' AND expires_at <= $3`,
      [workspace, asked, now],
    );
    const { rows } = await client.query<{ id: string; binding: string; number: string; shown: Shown }>(
      `SELECT id, binding, number, shown FROM access_step_ups WHERE workspace = $1 AND asked = $2 AND state = 'open'`,
      [workspace, asked],
    );
    const [open] = rows;
    if (open?.binding === binding) return { state: 'open', id: open.id, number: open.number };
    if (open !== undefined) {
      const { shown: other } = open;
      return { state: 'waits', for: 'run' in other ? `${other.repository.name}#${other.run.id}` : other.target.name };
    }
    const closed = await client.query(`SELECT FROM access_step_ups WHERE binding = $1 AND state = 'closed' LIMIT $2`, [
      binding,
      mostUnanswered,
    ]);
    if (closed.rowCount === mostUnanswered) return { state: 'unanswered', prompts: mostUnanswered };
    const id = randomBytes(18).toString('base64url');
    const number = String(randomInt(10_000)).padStart(4, '0');
    await client.query(
      `INSERT INTO access_step_ups (id, workspace, binding, asked, shown, number, asked_at, expires_at, link)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        ...[id, workspace, binding, asked, JSON.stringify(shown), number, now],
        new Date(Math.min(nowMs + promptMs, untilMs)),
        linkTo?.(id) ?? null,
      ],
    );
    if (linkTo !== undefined) await addNewToQueue(client, 'prompt', id);
    return { state: 'open', id, number };
  });
}

const columns = `id, workspace, binding, shown, number, wrong_numbers AS "wrongNumbers", state, asked_at AS "askedAt", expires_at AS "expiresAt"`;

export async function readPrompt(db: Db, id: string): Promise<StepUp | undefined> {
  const { rows } = await db.pool.query<StepUp>(`SELECT ${columns} FROM access_step_ups WHERE id = $1`, [id]);
  return rows[0];
}

/** How many prompts somebody may answer now: for runs of jobs, and for requests of people. */
export async function countOpenPrompts(
  { pool }: Pick<Db, 'pool'>,
  nowMs: number,
): Promise<{ run: number; request: number }> {
  const { rows } = await pool.query<{ run: number; request: number }>(
    `SELECT count(*) FILTER (WHERE shown ? 'run')::int AS run, count(*) FILTER (WHERE shown ? 'request')::int AS request
     FROM access_step_ups WHERE state = 'open' AND expires_at > $1`,
    [new Date(nowMs)],
  );
  return rows[0]!;
}

export type Answer = { is: 'approved'; number: string } | { is: 'refused' };
/** `late`: it was answered, has expired, or was closed. */
export type Answered = 'taken' | 'late' | 'wrong-number' | 'closed';

/**
 * Takes somebody's answer, once. `record` appends it to the log before it counts; where that fails, nothing was answered.
 */
export async function answerPrompt(
  db: Db,
  id: string,
  answer: Answer,
  by: Proof,
  { nowMs, record }: { nowMs: number; record: (stepUp: StepUp) => Promise<void> },
): Promise<Answered> {
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<StepUp>(`SELECT ${columns} FROM access_step_ups WHERE id = $1 FOR UPDATE`, [
      id,
    ]);
    const [stepUp] = rows;
    if (stepUp?.state !== 'open' || stepUp.expiresAt.getTime() <= nowMs) return 'late';
    if (answer.is === 'approved' && answer.number !== stepUp.number) return countWrong(client, stepUp);
    await record(stepUp);
    await client.query(
      `UPDATE access_step_ups SET state = $2, answered_by = $3, answered_at = $4, proved_at = $5, method = $6,
         phishing_resistant = $7, rests_on = $8 WHERE id = $1`,
      [
        ...[id, answer.is, JSON.stringify(by.account), new Date(nowMs), new Date(by.provedAtMs), by.method],
        ...[by.isPhishingResistant, by.restsOn],
      ],
    );
    await noteEnd(client, id);
    return 'taken';
  });
}

/** Whether what somebody signed in by still proves who they are: they may have been signed in for minutes. */
export async function isProof(
  { pool }: Pick<Db, 'pool'>,
  { method, restsOn }: Pick<Proof, 'method' | 'restsOn'>,
): Promise<boolean> {
  const { rows } = await pool.query<{ is: boolean }>(`SELECT ${proves('$1::text', '$2::text')} AS is`, [
    method,
    restsOn,
  ]);
  return rows[0]!.is;
}

/** Has the messages that ask for it say what became of it. */
const noteEnd = (client: PoolClient, id: string): Promise<void> => addNewToQueue(client, 'prompt', `${id} answered`);

async function countWrong(client: PoolClient, { id, wrongNumbers }: StepUp): Promise<Answered> {
  const isLast = wrongNumbers + 1 >= mostWrongNumbers;
  await client.query('UPDATE access_step_ups SET wrong_numbers = wrong_numbers + 1, state = $2 WHERE id = $1', [
    id,
    isLast ? 'closed' : 'open',
  ]);
  if (isLast) await noteEnd(client, id);
  return isLast ? 'closed' : 'wrong-number';
}

/** Who stands for exactly this, for `decide`. Whoever once said that it was not they is believed, whatever others say. */
export async function readApproval(db: Db, of: StandsFor, nowMs: number): Promise<Known['approval']> {
  const { rows } = await db.pool.query<{
    state: 'approved' | 'refused';
    by: { name: string };
    provedAt: Date;
    isPhishingResistant: boolean;
  }>(
    `SELECT state, answered_by AS by, proved_at AS "provedAt", phishing_resistant AS "isPhishingResistant"
     FROM access_step_ups WHERE binding = $1 AND ${counts} ORDER BY answered_at DESC, id`,
    [bindingOf(of)],
  );
  const refused = rows.find(({ state }) => state === 'refused');
  if (refused !== undefined) return { refusedBy: refused.by.name };
  const [last] = rows;
  if (last === undefined) return undefined;
  const { by, provedAt, isPhishingResistant } = last;
  return { by: by.name, ageMs: Math.max(0, nowMs - provedAt.getTime()), isPhishingResistant };
}

/** The commit that a policy was given for last in a repository, where it is another one. */
export async function readLastSha(
  db: Db,
  { workspace, policy, sha }: StandsFor,
  repositoryId: string,
): Promise<string | null> {
  const { rows } = await db.pool.query<{ sha: string }>(
    `SELECT job->>'sha' AS sha FROM access_grants g
     WHERE workspace = $1 AND policy = $2 AND job->'repository'->>'id' = $3
       AND EXISTS (SELECT FROM access_credentials c WHERE c.grant_id = g.id AND c.minted_at IS NOT NULL)
     ORDER BY asked_at DESC LIMIT 1`,
    [workspace, policy.name, repositoryId],
  );
  const last = rows[0]?.sha ?? null;
  return last === sha ? null : last;
}

/** Prompts are kept for so long: no run lasts longer, so that no job asks again for one that is forgotten. */
export const promptKeptMs = 40 * 24 * 3_600_000;

/** Deletes prompts that were asked before a time. */
export async function forgetPrompts({ pool }: Pick<Db, 'pool'>, beforeMs: number): Promise<void> {
  await pool.query('DELETE FROM access_step_ups WHERE asked_at < $1', [new Date(beforeMs)]);
}
