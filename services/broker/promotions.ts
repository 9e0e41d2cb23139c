import { createHash } from 'node:crypto';
import { type Promotion, promotionsOf } from '@tripline/access/promotion';
import { clip } from '@tripline/contracts/text';
import { mostPromotedFrom } from '@tripline/facts/environment-promotions';
import { instanceOf } from '@tripline/integrations/github/instance';
import { createWorkspaces } from '@tripline/sources/workspace';
import { brokerEvent } from './append-events.ts';
import { againMs, appendThenNote, type Telling, type TellingParts } from './append-then-note.ts';
import { noteToldPromotions, readToldPromotions, type ToldPlace, type ToldPromotion } from './store/promotions.ts';

/** How often it is looked whether other policies are in force, and what was told too long ago, ms. */
const [lookEveryMs, repeatEveryMs] = [1000, 3_600_000];

/**
 * Tells the log from which environments commits may come to which, as soon as policies are in force that say otherwise than it was told:
 * deployments are held against it. It is of when they came into force, however long the log was away.
 */
export function startPromotions(parts: TellingParts): { look: () => Promise<void>; close: () => Promise<void> } {
  const { clock, logger } = parts;
  const closing = new AbortController();
  /** Of the policies that this process saw in force last, and since when. */
  let seen: { sha256: string; sinceMs: number; isTold: boolean } | undefined;
  let repeatedMs = clock.nowMs();

  async function look(): Promise<void> {
    const now = inForce(parts);
    if (now === undefined) return;
    if (seen?.sha256 !== now.sha256) seen = { sha256: now.sha256, sinceMs: clock.nowMs(), isTold: false };
    if (!seen.isTold) {
      const told = await tellPromotions(parts, now.promotions(), { atMs: seen.sinceMs, tells: 'what is other' });
      seen.isTold = true;
      if (told > 0) logger.info({ environments: told }, 'told the log from where policies promote');
    } else if (clock.nowMs() - repeatedMs >= repeatEveryMs) {
      await tellPromotions(parts, now.promotions(), { atMs: clock.nowMs(), tells: 'what is old' });
      repeatedMs = clock.nowMs();
    }
  }

  const running = (async () => {
    while (!closing.signal.aborted) {
      try {
        await look();
      } catch (error) {
        logger.warn({ err: error }, 'telling the log from where policies promote failed; retrying in 1 s');
      }
      await clock.pause(lookEveryMs, closing.signal);
    }
  })();
  return {
    look,
    async close() {
      closing.abort();
      await running;
    },
  };
}

/**
 * What the policies in force say; nothing where none are configured, and undefined where they cannot be read now. `promotions` compares
 * each policy with all others, so it is asked for only where there is something to tell.
 */
function inForce({ config, policies }: TellingParts): { sha256: string; promotions: () => Promotion[] } | undefined {
  if (config.broker.policy === undefined) return { sha256: 'none', promotions: () => [] };
  const current = policies();
  return 'fault' in current ? undefined : { sha256: current.sha256, promotions: () => promotionsOf(current) };
}

/**
 * `what is old`: what it was told longer than a week ago, and only that: another broker may know newer policies than this one. What a
 * workspace has no organisation for is told nobody. @returns number of events.
 */
async function tellPromotions(
  { config, db, append }: TellingParts,
  promotions: readonly Promotion[],
  { atMs, tells }: { atMs: number; tells: 'what is other' | 'what is old' },
): Promise<number> {
  const instance = instanceOf(config.github.apiUrl);
  const workspaces = createWorkspaces(config);
  const before = new Map((await readToldPromotions(db)).map((one) => [keyOf(one), one]));
  const eventOf = ({ workspace, repositoryId, repository, environment }: ToldPlace, from?: readonly string[]) =>
    brokerEvent(
      'dev.cdeventsx.tripline-promotion.changed',
      { id: `promotion:${repositoryId}:${clip(environment, 300)}:${atMs}`, workspace, atMs },
      {
        ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': instance },
        ...{ 'vcs.repository.id': repositoryId, 'vcs.repository.name': clip(repository, 512) },
        'deployment.environment.name': clip(environment, 512),
        ...(from === undefined ? {} : { 'tripline.policy.promoted_from': from.slice(0, mostPromotedFrom) }),
      },
    );
  const events: Telling<ToldPromotion, ToldPlace>[] = [];
  const held = new Set<string>();
  for (const { repository, environment, from } of promotions) {
    const workspace = workspaces.of(repository.name.split('/')[0]!);
    if (workspace === undefined) continue;
    const place = { workspace, repositoryId: repository.id, repository: repository.name, environment };
    const sha256 = createHash('sha256')
      .update(JSON.stringify([instance, repository.name, from]))
      .digest('hex');
    const known = before.get(keyOf(place));
    held.add(keyOf(place));
    const isSame = known?.sha256 === sha256;
    const isOld = isSame && atMs - known.toldAt.getTime() >= againMs;
    if (tells === 'what is other' ? isSame : !isOld) continue;
    events.push({ event: eventOf(place, from), told: { ...place, sha256, toldAt: new Date(atMs) } });
  }
  if (tells === 'what is other')
    for (const [key, place] of before) if (!held.has(key)) events.push({ event: eventOf(place), gone: place });
  return appendThenNote(events, append, (told) => noteToldPromotions(db, told));
}

const keyOf = ({ workspace, repositoryId, environment }: ToldPlace): string =>
  JSON.stringify([workspace, repositoryId, environment]);
