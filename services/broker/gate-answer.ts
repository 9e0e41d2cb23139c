import { decideAtGate, decideUnheard, type GateDecision } from '@tripline/access/decide-gate';
import type { LoggedJob } from '@tripline/access/known-run';
import { failed } from '@tripline/access/reason';
import type { Attributes } from '@tripline/contracts/attributes';
import { clip } from '@tripline/contracts/text';
import type { Db } from '@tripline/db/database';
import { isRemediationStopped } from '@tripline/incidents/kill-switch';
import { type GateAccess, type GitHubGate, longestComment } from '@tripline/integrations/github/gate';
import type { Outcome } from '@tripline/integrations/outcome';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { appendEvents, brokerEvent, type EventParts } from './append-events.ts';
import { commentOf } from './gate-comment.ts';
import { type KnownAtGate, knownAtGate, runOf, type ToldAtGate, toStandFor } from './gate-known.ts';
import type { GateMeasures } from './gate-measures.ts';
import type { CurrentPolicies, PoliciesInForce } from './local-policies.ts';
import type { StepUps } from './step-up.ts';
import { promptMs } from './store/approvals.ts';
import { closeQuestion, isHeld, noteComment, noteDecision, type OpenQuestion, postpone } from './store/gates.ts';
import { readKnownRun } from './store/known-runs.ts';

export type AnswerParts = EventParts & {
  db: Db;
  clock: Clock;
  logger: Logger;
  measures: GateMeasures;
  policies: CurrentPolicies;
  gate: GitHubGate;
  /** Host of the GitHub that the configured API is of. */
  instance: string;
  /** How people prove a second factor for a run; absent where none is configured: then nobody can. */
  stepUps?: Pick<StepUps, 'open' | 'approvalFor'> | undefined;
};

/** What nobody told is waited for without a word for so long: the detector may be a moment behind. */
const quietMs = 8000;
/** So long after its question a deployment may be missing in the list of those that wait. */
export const listedMs = 30_000;
/** From then on what is not known is a no: the run can be started anew. */
const untoldMs = 10 * 60_000;
/** Whoever is asked for a second factor has two hours: GitHub takes ten words about a deployment, and each link is good for a while. */
const personMs = 2 * 3_600_000;
/** A word is not sent on a claim that is about to expire: somebody else may be about to speak. */
const marginMs = 10_000;
const longestPauseMs = 30_000;
/** What GitHub refuses for good is asked again, since somebody may mend it, and ever more seldom. */
const longestRefusedMs = 600_000;

/** When to look again, and why where something is wrong. Undefined: nothing is owed any more. */
type Later = { afterMs: number; fault?: string } | undefined;
/** One question, as the worker `by` holds it. */
type Work = { parts: AnswerParts; question: OpenQuestion; by: string };

/** Answers a question that was claimed, or says when to look at it again. Nothing is said that the log does not have. */
export async function answerQuestion(parts: AnswerParts, by: string, question: OpenQuestion): Promise<void> {
  const { db, clock, logger } = parts;
  const later = await settle({ parts, question, by });
  if (later === undefined) return;
  const { afterMs, fault = null } = later;
  if (fault !== null) {
    const { repository, runId, environment } = question;
    logger.warn(
      { repository: repository.name, run: runId, environment, fault },
      'the gate cannot answer yet; retrying',
    );
  }
  await postpone(db, { id: question.id, by }, { dueMs: clock.nowMs() + afterMs, fault });
}

async function settle(work: Work): Promise<Later> {
  const { parts, question } = work;
  const { db, policies, gate, instance } = parts;
  // Neither yes nor no: a rejection stops a run for good, and an approval is the last thing that an operator wants then.
  if (await isRemediationStopped(db)) return { afterMs: 5000, fault: 'the kill switch is on: nothing is answered' };
  const inForce = policies();
  if ('fault' in inForce) return { afterMs: 5000, fault: `no policies are in force: ${inForce.fault}` };
  const { jobs } = await readKnownRun(db, question.workspace, runOf(question));
  if (inForce.revision === null) return onlyTell(work, inForce, jobs);
  if (question.instance !== instance)
    return { afterMs: longestPauseMs, fault: `${question.instance} is not ${instance}, which github.apiUrl names` };
  const ageMs = ageOf(work);
  if (jobs.length === 0 && ageMs < quietMs) return { afterMs: 250 };
  if (question.commentedMs !== null && question.attempt !== null) {
    const judged = await judge(work, inForce, { jobs, attempt: question.attempt });
    if (judged.verdict === 'waiting' && isSaid(work, judged)) return wait(ageMs);
  }
  const { installation, repository, runId, environment } = question;
  const told = await gate.ask({ installation, repositoryId: repository.id, runId, environment }, async (access) => {
    await nameToken(work, access);
    return converse(work, inForce, access);
  });
  return told.result === 'answered' ? told.value : retry(work, told.outcome);
}

/** In a dry run nobody is asked or told anything: the log has what would have been said. */
async function onlyTell(work: Work, inForce: PoliciesInForce, jobs: readonly LoggedJob[]): Promise<Later> {
  const attempt = Math.max(0, ...jobs.map(({ job }) => job.run.attempt));
  const judged = await judge(work, inForce, { jobs, attempt });
  if (judged.verdict === 'waiting' && judged.decision.decision !== 'pending') return wait(ageOf(work));
  await tell(work, inForce, judged, attempt === 0 ? null : attempt);
  await closeQuestion(work.parts.db, held(work), { state: 'over', atMs: work.parts.clock.nowMs() });
  return undefined;
}

/**
 * Tells the log of the token with which GitHub is answered, before it is used: each token of an App that mints for jobs is there, or
 * somebody else has the App's key.
 */
async function nameToken({ parts, question }: Work, { token }: GateAccess): Promise<void> {
  const { workspace, repository, runId, environment } = question;
  const nowMs = parts.clock.nowMs();
  const data: Attributes = {
    'vcs.provider.name': 'github',
    'tripline.provider.instance': parts.instance,
    ...{ 'vcs.repository.id': repository.id, 'vcs.repository.name': clip(repository.name, 512) },
    ...{ 'cicd.pipeline.run.id': runId, 'deployment.environment.name': environment },
    // One each: a conversation that is tried again and again has as many.
    'tripline.access.grant': `gate:${question.id}:${token.hash.slice(0, 16)}`,
    'tripline.access.policy': '(the gate)',
    ...{ 'tripline.credential.kind': 'github', 'tripline.credential.token_hash': token.hash },
    'tripline.credential.expires_at': new Date(token.expiresAtMs).toISOString(),
  };
  const envelope = { id: `gate:${question.id}:minted:${token.hash.slice(0, 16)}`, workspace, atMs: nowMs };
  await appendEvents(parts, [brokerEvent('dev.cdeventsx.tripline-credential.minted', envelope, data)]);
}

async function converse(work: Work, inForce: PoliciesInForce, access: GateAccess): Promise<Later> {
  const { parts, question } = work;
  const run = await access.run();
  if (run.result === 'refused') return retry(work, run.outcome);
  const { attempt, isOver, ownerId, actor } = run.value;
  // Whoever may sign for one workspace names the repository of another: its own log tells of no such run, which would be a no.
  if (ownerId !== question.owner.id) return passOver(work, ownerId);
  const isOfFormer = question.attempt !== null && question.attempt !== attempt;
  if (isOver || isOfFormer) return letGo(work, inForce, question.attempt ?? attempt);
  // Somebody went past the gate, another delivery was answered, or we were killed while we said it: an approval that came later than
  // the start of its job would look as if it had let it through.
  const waits = await access.waits();
  if (waits.result === 'refused') return retry(work, waits.outcome);
  if (!waits.value) {
    // GitHub may tell us a moment before its list does.
    return question.sentMs === null && ageOf(work) < listedMs ? wait(0) : letGo(work, inForce, attempt);
  }
  const { jobs } = await readKnownRun(parts.db, question.workspace, runOf(question));
  const judged = await judge(work, inForce, { jobs, attempt, actor });
  return judged.verdict === 'waiting'
    ? sayWhy(work, inForce, { judged, attempt, access })
    : sayVerdict(work, inForce, { judged, attempt, access });
}

type Said = { judged: Judged; attempt: number; access: GateAccess };

/** Says once what is waited for. What nobody told for a moment is not worth a word. */
async function sayWhy(work: Work, inForce: PoliciesInForce, { judged, attempt, access }: Said): Promise<Later> {
  const { parts } = work;
  const ageMs = ageOf(work);
  if (judged.decision.decision !== 'pending' && ageMs < quietMs) return quietly(ageMs);
  if (isSaid(work, judged)) return wait(ageMs);
  await tell(work, inForce, judged, attempt);
  const said = await access.say({
    comment: commentOf('waiting', judged.decision, longestComment, await linkFor(work, inForce, judged)),
  });
  if (said.kind === 'retry') return retry(work, said);
  await noteComment(parts.db, held(work), { attempt, atMs: parts.clock.nowMs() });
  return said.kind === 'done' ? wait(ageMs) : retry(work, said);
}

/** A word on a second factor is said anew once its link is good no more. */
function isSaid({ parts, question: { commentedMs } }: Work, { decision }: Judged): boolean {
  if (commentedMs === null) return false;
  return decision.decision !== 'pending' || parts.clock.nowMs() - commentedMs < promptMs;
}

/** Where somebody proves their second factor for the run, in words; undefined where nothing of the kind is waited for. */
async function linkFor(
  { parts, question }: Work,
  inForce: PoliciesInForce,
  { decision, known }: Judged,
): Promise<string | undefined> {
  const { policy } = decision;
  if (decision.decision !== 'pending' || policy === undefined || known === undefined) return undefined;
  if (parts.stepUps === undefined) return 'Nobody can prove it: `broker.stepUp` is not configured.';
  const opened = await parts.stepUps.open(toStandFor(question, known.job, policy, inForce.lock));
  return opened.state === 'open'
    ? `Open ${opened.url} and type ${opened.number}, if you set it off.`
    : `Nobody can be asked yet: ${opened.why}.`;
}

async function sayVerdict(work: Work, inForce: PoliciesInForce, { judged, attempt, access }: Said): Promise<Later> {
  const { parts, question } = work;
  const { db, clock, measures, logger } = parts;
  const decision = judged.verdict === 'granted' ? 'granted' : 'denied';
  if (!(await isHeld(db, held(work)))) return undefined;
  await tell(work, inForce, judged, attempt);
  if (!(await noteDecision(db, held(work), { decision, attempt, atMs: clock.nowMs(), marginMs }))) return undefined;
  const state = decision === 'granted' ? 'approved' : 'rejected';
  const said = await access.say({ state, comment: commentOf(state, judged.decision, longestComment) });
  if (said.kind === 'retry') return retry(work, said);
  if (said.kind === 'give-up') {
    const waits = await access.waits();
    if (waits.result === 'refused' || waits.value) return retry(work, said);
  }
  const atMs = clock.nowMs();
  if (await closeQuestion(db, held(work), { state: 'answered', atMs }))
    measures.seconds.observe((atMs - question.heardMs) / 1000);
  const { repository, runId, environment } = question;
  logger.info({ repository: repository.name, run: runId, attempt, environment, decision }, 'the gate answered');
  return undefined;
}

/** Says nothing: who asks is not whose deployment it is. */
async function passOver(work: Work, ownerId: string): Promise<Later> {
  const { parts, question } = work;
  const { db, clock, logger } = parts;
  logger.error(
    { question: question.id, workspace: question.workspace, owner: question.owner.id, ownerId },
    'the gate was asked about a repository of another owner than the delivery says; nothing is answered',
  );
  await closeQuestion(db, held(work), { state: 'over', atMs: clock.nowMs() });
  return undefined;
}

/** Nobody waits for a word any more. What was decided before stands in the log; else that it was let go. */
async function letGo(work: Work, inForce: PoliciesInForce, attempt: number): Promise<Later> {
  const { parts, question } = work;
  if (question.sentMs === null) {
    const reason = failed('job', 'a deployment that waits', 'one that waits no more', 'Nothing is to be done.');
    const decision: GateDecision = {
      ...decideUnheard(question, inForce),
      decision: 'denied',
      reasons: [reason],
      held: [],
    };
    await tell(work, inForce, { verdict: 'denied', decision, known: undefined }, attempt);
  }
  const state = question.sentMs === null ? 'over' : 'answered';
  await closeQuestion(parts.db, held(work), { state, atMs: parts.clock.nowMs() });
  return undefined;
}

type Judged = { verdict: 'granted' | 'denied' | 'waiting'; decision: GateDecision; known: KnownAtGate | undefined };

async function judge(work: Work, inForce: PoliciesInForce, told: ToldAtGate): Promise<Judged> {
  const { parts, question } = work;
  const nowMs = parts.clock.nowMs();
  const known = await knownAtGate(parts, question, told, inForce);
  const decision =
    known === undefined ? decideUnheard(question, inForce) : decideAtGate(known.job, known.knownFor, inForce);
  const ageMs = nowMs - question.heardMs;
  const mayBeTold = ageMs < untoldMs && decision.reasons.every(({ state }) => state !== 'failed');
  const mayBeProved = ageMs < personMs && decision.decision === 'pending';
  const isOpen = decision.decision !== 'granted' && (mayBeTold || mayBeProved);
  if (question.decision === 'denied' || (decision.decision !== 'granted' && !isOpen))
    return { verdict: 'denied', decision, known };
  return { verdict: isOpen ? 'waiting' : 'granted', decision, known };
}

/** Appends what was decided: a repeated append is a duplicate. */
async function tell(work: Work, inForce: PoliciesInForce, judged: Judged, attempt: number | null): Promise<void> {
  const { parts, question } = work;
  const { verdict, decision, known } = judged;
  const { id, workspace, repository, owner, runId, environment, instance, deploymentId, heardMs } = question;
  const { policy, tier, reasons } = decision;
  const nowMs = parts.clock.nowMs();
  const word = verdict === 'waiting' ? 'pending' : verdict;
  const data: Attributes = {
    ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': instance, 'vcs.owner.id': owner.id },
    ...{ 'vcs.owner.name': clip(owner.name, 256), 'vcs.repository.id': repository.id },
    ...{ 'vcs.repository.name': clip(repository.name, 512), 'cicd.pipeline.run.id': runId },
    ...(attempt === null ? {} : { 'tripline.pipeline.run.attempt': attempt }),
    'deployment.environment.name': clip(environment, 512),
    ...(deploymentId === null ? {} : { 'deployment.id': deploymentId }),
    ...(known === undefined ? {} : ofJob(known.job)),
    ...{ 'tripline.deployment.question': id, 'tripline.access.decision': word },
    ...(policy === undefined ? {} : { 'tripline.access.policy': policy.name }),
    ...(tier === undefined ? {} : { 'tripline.access.tier': tier }),
    'tripline.access.policy_sha256': inForce.sha256,
    ...(inForce.revision === null
      ? { 'tripline.access.dry_run': true as const }
      : { 'tripline.access.policy_revision': inForce.revision }),
    'tripline.access.reasons': reasons.map(({ condition, state, wanted, found }) => ({
      ...{ condition, state, wanted: clip(wanted, 512), found: clip(found, 512) },
    })),
    'tripline.access.took_ms': Math.max(0, Math.round(nowMs - heardMs)),
  };
  const event = brokerEvent(
    'dev.cdeventsx.tripline-gate.decided',
    { id: `gate:${id}:${word}`, workspace, atMs: nowMs },
    data,
  );
  await appendEvents(parts, [event]);
  parts.measures.decisions.inc({ decision: word, condition: reasons[0]?.condition ?? '' });
}

const ofJob = ({ sha, actor }: KnownAtGate['job']): Attributes => ({
  ...(sha === '' ? {} : { 'vcs.ref.head.revision': sha }),
  ...(actor.id === '' ? {} : { 'user.id': actor.id, 'user.name': clip(actor.name, 256) }),
});

const held = ({ question, by }: Work) => ({ id: question.id, by });
const ageOf = ({ parts, question }: Work): number => parts.clock.nowMs() - question.heardMs;
/** A wait of minutes is a person's: nobody notices five seconds more. */
/** Each look takes a token and four requests, so ever later ones; the last is when there is to be a word. */
const quietly = (ageMs: number): Later => ({ afterMs: Math.min(Math.max(250, ageMs / 2), quietMs - ageMs) });
const wait = (ageMs: number): Later => ({ afterMs: ageMs < 60_000 ? 1000 : 5000 });

function retry({ question }: Work, outcome: Exclude<Outcome, { kind: 'done' }>): Later {
  const pauseMs = Math.min(500 * 2 ** Math.min(question.tries, 10), longestPauseMs);
  const refusedMs = Math.min(longestPauseMs * 2 ** Math.min(question.tries - 1, 10), longestRefusedMs);
  const afterMs =
    outcome.kind === 'retry' ? Math.min(Math.max(outcome.afterMs ?? 0, pauseMs), longestPauseMs * 2) : refusedMs;
  return {
    afterMs,
    fault: `${outcome.reason}: ${outcome.message ?? 'no answer'}`,
  };
}
