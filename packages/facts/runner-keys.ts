import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { PassedOver } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { keyOf } from './things.ts';

/**
 * How runners are named. A provider numbers them within each organisation and repository, so a number alone says little: a
 * runner is its number and its name, and where it is registered stands in what is known of it.
 */

/** A job on a machine of the provider's tells of no runner. */
export const hostedJob: PassedOver = { says: { 'tripline.worker.hosted': true } };

/** The key of a self-hosted runner, also its id as an entity of findings. */
export function runnerKeyOf(event: LoggedEvent, id: string, name: string): string {
  return keyOf(event, runnerId(id, name));
}
export const runnerId = (id: string, name: string): string => `runner:${id}:${clip(name, 200)}`;
const runnerForm = /^[^:]+:[^:/]+(?::\d+)?:runner:([^:]*):(.*)$/s;
/** The number and name of a runner by its key; undefined for any other text, such as the key of a class. */
export function readRunnerKey(key: string): { id: string; name: string } | undefined {
  const [, id, name] = runnerForm.exec(key) ?? [];
  return id === undefined || name === undefined ? undefined : { id, name };
}

const placeForm = /^[^:]+:[^:/]+(?::\d+)?:/;
/** The key of another thing of the same provider and instance as that of `key`. */
export const keyBeside = (key: string, id: string): string => `${placeForm.exec(key)?.[0] ?? ''}${id}`;
/** Provider and instance of a key. */
export function placeOfKey(key: string): { provider: string; instance: string } {
  const [provider = '', ...instance] = (placeForm.exec(key)?.[0] ?? '').slice(0, -1).split(':');
  return { provider, instance: instance.join(':') };
}

/** The key of a group of runners, by the number that its organisation gave it. */
export const runnerGroupKeyOf = (event: LoggedEvent, groupId: string): string => keyOf(event, runnerGroupId(groupId));
export const runnerGroupId = (groupId: string): string => `runner-group:${groupId}`;

/**
 * The key of a class of runners, also its id as an entity of findings: those of one group that take jobs of the same labels
 * and whose names begin alike, as a scale set or a pool makes them. Undefined where nothing but chance is in the name.
 * Whoever registers a runner chooses its name, so nothing is known of a class by that alone.
 */
export function runnerClassKeyOf(event: LoggedEvent, name: string): string | undefined {
  const data: Attributes = event.data;
  const prefix = prefixOf(name);
  if (prefix === '') return undefined;
  const owner = clip(data['vcs.owner.id'] ?? data['vcs.owner.name'] ?? '', 40);
  return keyOf(event, `runner-class:${owner}/${groupOf(data)}/${clip(labelsOf(data), 150)}/${prefix}`);
}
const classForm = /^[^:]+:[^:/]+(?::\d+)?:runner-class:/;
export const isRunnerClassKey = (key: string): boolean => classForm.test(key);

/** The class of the provider's own machines, each of which is new: by group and labels. */
export const hostedClassOf = (data: Attributes): string => `hosted:${groupOf(data)}:${clip(labelsOf(data), 300)}`;

const groupOf = (data: Attributes): string => clip(data['tripline.worker.group.id'] ?? '0', 40);

/** Labels as jobs ask for them: in any order, in any case, and one twice is one. */
export const sortedLabels = (labels: readonly string[]): string[] =>
  [...new Set(labels.map((label) => label.toLowerCase()))].sort();

function labelsOf(data: Attributes): string {
  const labels = data['tripline.worker.labels'] ?? [];
  // Nearly always one.
  return labels.length > 1 ? sortedLabels(labels).join(',') : (labels[0] ?? '').toLowerCase();
}

/**
 * What the names of a pool's runners share: everything before the first part that holds a digit, or before the last part
 * where none does. `arc-set-w8pwm-runner-r8z5c` (a scale set of the Actions Runner Controller) is of `arc-set-`, even where
 * chance put no digit into its parts.
 */
export function prefixOf(name: string): string {
  const scaleSet = /^(.*-)[a-z0-9]{5}-runner-[a-z0-9]{5}$/.exec(name)?.[1];
  if (scaleSet !== undefined) return clip(scaleSet, 80);
  const parts = name.split(/(?<=[-_.])/);
  const first = parts.findIndex((part) => /\d/.test(part));
  return clip(parts.slice(0, first < 0 ? -1 : first).join(''), 80);
}
