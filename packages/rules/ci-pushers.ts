import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { isByPages } from '@tripline/facts/commits';
import { actorOf, type Named } from './builders/seen.ts';
import { botsOfProviders } from './provider-bots.ts';

/** As whom pushes of files that configure CI are counted: what bears a mark behind the account's id is counted apart. */
const ofApp = ' beside the default branch';
const changing = `, of files that are there${ofApp}`;
const ofOthers = ' of others';

/** An app's work on branches of its own; `isChangingAlone`: of files that were there before. */
export const isBeside = ({ id }: Named): boolean => id.endsWith(ofApp);
export const isChangingAlone = ({ id }: Named): boolean => id.endsWith(changing);
/** What others made, and an account merged. */
export const isLanding = ({ id }: Named): boolean => id.endsWith(ofOthers);

export function accountOf({ id }: Named): string {
  const end = [changing, ofApp, ofOthers].find((one) => id.endsWith(one));
  return end === undefined ? id : id.slice(0, -end.length);
}

/** Undefined for work of the provider's own bots on branches of their own. */
export function pusherOf(event: LoggedEvent): Named | undefined {
  const {
    'user.type': type,
    'vcs.ref.head.name': ref,
    'tripline.repository.default_branch': main,
  }: Attributes = event.data;
  const actor = actorOf(event);
  const isOnMain = main === undefined || ref === main;
  if (isOnMain && landsOthers(event.data, actor)) return { ...actor, id: actor.id + ofOthers };
  if (type !== 'Bot' || isOnMain) return actor;
  if (botsOfProviders.has(actor.name)) return undefined;
  const adds = event.data['tripline.push.commits']?.some(({ ciAdded }) => ciAdded === true);
  return { ...actor, id: actor.id + (adds ? ofApp : changing) };
}

/**
 * Merged by the provider's pages, as it says, and what changed CI was made by others; or by an app, as what updates dependencies
 * and merge queues do.
 */
function landsOthers({ 'tripline.push.commits': commits = [], 'user.type': type }: Attributes, by: Named): boolean {
  if (!isByPages({ commits })) return false;
  // The merge itself is by whoever merged, and may list again what it brings.
  const made = commits.length > 1 ? commits.slice(0, -1) : commits;
  const isOwn = ({ author }: { author: string }) => author.toLowerCase() === by.name.toLowerCase();
  return type === 'Bot' || made.every((commit) => commit.ciPaths.length === 0 || !isOwn(commit));
}
