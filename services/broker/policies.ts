import { createHash } from 'node:crypto';
import { type Difference, diff, type Version } from '@tripline/access/diff';
import { filesNamed } from '@tripline/access/files';
import type { Known } from '@tripline/access/known';
import { lint } from '@tripline/access/lint';
import { emptyLock, readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import { lockFileOf } from '@tripline/access/read-version';
import { AccessFileError } from '@tripline/access/yaml';
import type { Config } from '@tripline/config/config';
import type { Attributes } from '@tripline/contracts/attributes';
import { thingKey } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import type { Db } from '@tripline/db/database';
import { instanceOf } from '@tripline/integrations/github/instance';
import { type PolicyCommit, readPolicyCommit } from '@tripline/integrations/github/policy-files';
import { CannotReadError, mayRead } from '@tripline/integrations/github/reader';
import type { Clock } from '@tripline/runtime/clock';
import { ConfigError } from '@tripline/runtime/load-settings';
import type { Logger } from '@tripline/runtime/logger';
import { createWorkspaces } from '@tripline/sources/workspace';
import { appendEvents, brokerEvent, type EventParts } from './append-events.ts';
import type { CurrentPolicies, PoliciesInForce } from './local-policies.ts';
import { inOrder, isOurPolicies, macOfPolicies, type StoredPolicies } from './policy-mac.ts';
import { reviewedSince } from './reviewed-chain.ts';
import {
  keepPolicies,
  notePolicyFault,
  type PolicyFault,
  readHeads,
  readHeadsMark,
  readNewest,
} from './store/policies.ts';

/** How often GitHub is asked for the head, and how often it is looked whether anything was told of it, ms. */
const askEveryMs = 15_000;
const lookEveryMs = 1000;
/** So long a review may be on its way, or GitHub away, before it is said, ms. */
const patienceMs = 60_000;

export type PoliciesParts = EventParts & {
  config: Config;
  db: Db;
  clock: Clock;
  logger: Logger;
  /** In the place of GitHub's API; undefined where the head is `known`. */
  readCommit?: (known: string | undefined) => Promise<PolicyCommit | undefined>;
};

/** Policies that lie in a repository, at the newest commit that is known as reviewed. */
export type RepositoryPolicies = {
  current: CurrentPolicies;
  /** Looks now, as it does every 15 s, and when something is told of a commit. */
  look: () => Promise<void>;
  close: () => Promise<void>;
};

/** What is in force, with the texts that it was made of. */
type InForce = PoliciesInForce & { stored: StoredPolicies };

/**
 * Keeps the policies of `broker.policy.repository` in force: those of its branch's head as GitHub tells it, once Tripline knows that
 * commit, and all since the one in force, as reviewed, and nothing is wrong with them. Until then the former ones stay, those that
 * were kept last after a start.
 * @throws {ConfigError} no workspace has the repository, or nothing is configured to read it with.
 */
export async function createRepositoryPolicies(parts: PoliciesParts): Promise<RepositoryPolicies> {
  const { config, db, clock, logger } = parts;
  const place = placeOf(config);
  const name = `${place.repository}/${place.path}@${place.branch}`;
  const workspace = createWorkspaces(config).of(place.repository.split('/')[0]!);
  if (workspace === undefined)
    throw new ConfigError(`broker.policy.repository: no workspace has the organisation of ${place.repository}`);
  if (parts.readCommit === undefined && !mayRead(config.github))
    throw new ConfigError('broker.policy.repository: set github.app or github.token, by which it is read');
  const readCommit = parts.readCommit ?? ((known) => readPolicyCommit(config.github, place, known, reading(parts)));
  const keys = config.broker.eventKeys ?? [];
  let inForce = await lastKept(parts, place);
  /** The newest commit, where it is not in force, since when, and why it is not. */
  let waiting: { commit: PolicyCommit; sinceMs: number } | undefined;
  let refused: { revision: string; why: string } | undefined;
  let unreadSinceMs: number | undefined;
  /** What was said last; undefined: by a process before, if anything. */
  let fault: string | undefined;

  /** Says what keeps the newest from being in force, once. */
  async function say(of: PolicyFault | null): Promise<void> {
    const now = of === null ? '' : `${of.revision} ${of.why}`;
    if (now === fault) return;
    await notePolicyFault(db, name, of);
    fault = now;
    if (of === null) return;
    logger.error({ place: name, revision: of.revision, reason: of.why }, 'policies are not taken; the former stay');
  }

  async function tell(commit: PolicyCommit, sha256: string, more: Attributes): Promise<void> {
    const data: Attributes = {
      ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': instanceOf(config.github.apiUrl) },
      ...{ 'vcs.repository.id': commit.repositoryId, 'vcs.repository.name': place.repository },
      ...{ 'tripline.access.policy_sha256': sha256, 'tripline.access.policy_revision': commit.revision },
      ...more,
    };
    const id = `access:policies:${commit.revision}:${more['tripline.policy.outcome']}`;
    const event = brokerEvent(
      'dev.cdeventsx.tripline-policy.changed',
      { id, workspace: workspace!, atMs: clock.nowMs() },
      data,
    );
    await appendEvents(parts, [event]);
  }

  async function refuse(commit: PolicyCommit, sha256: string, kind: PolicyFault['kind'], why: string): Promise<void> {
    if (refused?.revision !== commit.revision || refused.why !== why) {
      await tell(commit, sha256, { 'tripline.policy.outcome': 'refused', 'tripline.access.reason': clip(why, 2000) });
      refused = { revision: commit.revision, why };
    }
    await say({ kind, revision: commit.revision, why });
  }

  async function reviewOf({ repositoryId, revision }: PolicyCommit): Promise<Known['reviewed']> {
    const key = thingKey('github', instanceOf(config.github.apiUrl), repositoryId);
    return reviewedSince(revision, inForce?.stored.revision, await readHeads(db, workspace!, key));
  }

  /** Puts the newest commit in force, or says why it is not. */
  async function consider(commit: PolicyCommit, sinceMs: number): Promise<void> {
    const { repositoryId, revision } = commit;
    const sha256 = sha256Of(commit);
    if (inForce !== undefined && inForce.stored.repositoryId !== repositoryId) {
      const why = `${place.repository} is another repository by now, with id ${repositoryId}`;
      return refuse(commit, sha256, 'other-repository', why);
    }
    // What is in force already needs no review: so a revert ends what nobody reviewed.
    const isSame = inForce?.sha256 === sha256;
    const reviewed = isSame ? { is: 'reviewed' as const, why: 'it says what is in force' } : await reviewOf(commit);
    if (reviewed.is === 'unreviewed')
      return refuse(commit, sha256, 'unreviewed', `${revision.slice(0, 12)} is not reviewed: ${reviewed.why}`);
    if (reviewed.is === 'unknown') {
      if (clock.nowMs() - sinceMs < patienceMs) return;
      const why = `whether ${revision.slice(0, 12)} is reviewed is not known: ${reviewed.why}`;
      return say({ kind: 'review-unknown', revision, why });
    }
    const read = versionOf(commit, config.identity.audience);
    if ('why' in read) return refuse(commit, sha256, 'unusable', read.why);
    const stored: StoredPolicies = { ...place, ...commit, reviewed: reviewed.why };
    const change = inForce === undefined ? 'first' : changeOf(diff(inForce, read.version));
    // Told before it is in force: what is given by it has a version that the log knows.
    await tell(commit, sha256, { 'tripline.policy.outcome': 'in-force', 'tripline.policy.change': change });
    await keepPolicies(db, stored, { sha256, mac: macOfPolicies(stored, keys[0]!) });
    inForce = { ...read.version, sha256, revision, stored };
    waiting = undefined;
    refused = undefined;
    await say(null);
    logger.info({ place: name, revision, change }, 'policies are in force');
  }

  async function ask(): Promise<void> {
    try {
      const newest = await readCommit(waiting?.commit.revision ?? inForce?.stored.revision);
      unreadSinceMs = undefined;
      if (newest === undefined) {
        if (waiting === undefined) await say(null);
        return;
      }
      // The head is what is in force again: what waited is gone.
      waiting = newest.revision === inForce?.stored.revision ? undefined : { commit: newest, sinceMs: clock.nowMs() };
      if (waiting === undefined) await say(null);
    } catch (error) {
      unreadSinceMs ??= clock.nowMs();
      const isForGood = error instanceof CannotReadError && error.outcome.kind === 'give-up';
      const why = `${name} cannot be read: ${(error as Error).message}`;
      if (isForGood || clock.nowMs() - unreadSinceMs >= patienceMs)
        await say({ kind: 'unreadable', revision: null, why });
      else logger.warn({ err: error, place: name }, 'policies could not be read; retrying in 15 s');
    }
  }

  let turn: Promise<void> = Promise.resolve();
  const look = (asks = true): Promise<void> => {
    turn = turn.then(async () => {
      if (asks) await ask();
      if (waiting !== undefined) await consider(waiting.commit, waiting.sinceMs);
    });
    const done = turn;
    turn = done.catch(() => {});
    return done;
  };

  const closing = new AbortController();
  async function watch(): Promise<void> {
    let askedMs = Number.NEGATIVE_INFINITY;
    let mark = '';
    while (!closing.signal.aborted) {
      try {
        const now = await readHeadsMark(db);
        const asks = now !== mark || clock.nowMs() - askedMs >= askEveryMs;
        if (asks) {
          askedMs = clock.nowMs();
          await look();
          mark = now;
        } else if (waiting !== undefined) await look(false);
      } catch (error) {
        logger.warn({ err: error, place: name }, 'looking for new policies failed; the former stay, retrying in 1 s');
      }
      await clock.pause(lookEveryMs, closing.signal);
    }
  }
  const watching = watch();
  return {
    current: () =>
      inForce ?? { fault: `of ${name} no commit that is known as reviewed was taken yet; the broker’s log says why` },
    look,
    async close() {
      closing.abort();
      await watching;
      await turn;
    },
  };
}

function placeOf({ broker: { policy } }: Config) {
  if (policy === undefined || !('repository' in policy)) throw new ConfigError('broker.policy.repository is not set');
  return { ...policy, lockPath: lockFileOf(policy.path) };
}

/** What was in force when a broker last took something; a row that none of our keys made is nobody's. */
async function lastKept(
  { config, db, logger }: PoliciesParts,
  { repository, branch, path }: ReturnType<typeof placeOf>,
): Promise<InForce | undefined> {
  const newest = await readNewest(db);
  if (newest === undefined) return undefined;
  const { mac, ...stored } = newest;
  if (!isOurPolicies(stored, mac, config.broker.eventKeys ?? [])) {
    logger.error(
      { revision: stored.revision },
      'the policies in the database were written by no broker that has a key of broker.eventKeys; they are not in force, and the repository is read again',
    );
    return undefined;
  }
  const isOfPlace = stored.repository === repository && stored.branch === branch && stored.path === path;
  if (!isOfPlace) return undefined;
  const read = versionOf(stored, config.identity.audience);
  if ('why' in read) {
    logger.error({ revision: stored.revision, reason: read.why }, 'the policies that were in force cannot be used');
    return undefined;
  }
  return { ...read.version, sha256: sha256Of(stored), revision: stored.revision, stored };
}

type Texts = Pick<StoredPolicies, 'policies' | 'lock' | 'files' | 'repositoryId'>;

/** The policies, or everything that is wrong with them. */
function versionOf(
  { policies, lock, files, repositoryId }: Texts,
  audience: string | undefined,
): { version: Version } | { why: string } {
  let version: Version;
  try {
    version = { file: readPolicies(policies), lock: lock === '' ? emptyLock : readLock(lock), files };
  } catch (error) {
    if (!(error instanceof AccessFileError)) throw error;
    return { why: `it cannot be used: ${error.message}` };
  }
  const { file } = version;
  const faults = [
    ...(file.audience === audience
      ? []
      : [`it is for the audience ${file.audience}, and identity.audience is ${audience ?? 'not set'}`]),
    ...givingThemselves(version, repositoryId),
    ...lint(file, version.lock, files).flatMap(({ level, policy, what }) =>
      level === 'error' ? [policy === undefined ? what : `${policy}: ${what}`] : [],
    ),
  ];
  return faults.length === 0 ? { version } : { why: faults.join('; ') };
}

/** With any of these a job could write, approve or merge what decides what it is given. */
const decisive = ['contents', 'pull_requests', 'administration', 'workflows'];

/** Policies lie in a repository of their own: what may be changed there may not be given by them. */
function givingThemselves({ file, lock }: Pick<Version, 'file' | 'lock'>, repositoryId: string): string[] {
  return Object.entries(file.policies).flatMap(([policy, { give }]) =>
    give.flatMap((one) => {
      if (!('github' in one)) return [];
      const { repositories, permissions } = one.github;
      const own = repositories.find((name) => lock.github[name]?.id === repositoryId);
      const named = decisive.filter((name) => ['write', 'admin'].includes(permissions[name] ?? ''));
      if (own === undefined || named.length === 0) return [];
      return [
        `${policy}: gives ${named.join(', ')}: write on ${own}, where the policies lie: whoever has that decides what it is given`,
      ];
    }),
  );
}

function changeOf(differences: readonly Difference[]): 'wider' | 'other' | 'narrower' | 'none' {
  const kinds = new Set(differences.map(({ is }) => is));
  return (['wider', 'other', 'narrower'] as const).find((kind) => kinds.has(kind)) ?? 'none';
}

const sha256Of = ({ policies, lock, files }: Omit<Texts, 'repositoryId'>): string =>
  createHash('sha256')
    .update(JSON.stringify([policies, lock, ...inOrder(files)]))
    .digest('hex');

/** What cannot be read names nothing; why it cannot is said once it is considered. */
function filesOf(policies: string): string[] {
  try {
    return filesNamed(readPolicies(policies));
  } catch (error) {
    if (!(error instanceof AccessFileError)) throw error;
    return [];
  }
}

const reading = ({ clock, logger }: PoliciesParts) => ({
  filesOf,
  nowMs: clock.nowMs,
  onLeftAlive: (reason: string) =>
    logger.error({ reason }, 'revoking a read-only token failed; it expires within an hour'),
});
