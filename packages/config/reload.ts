import { setLogLevel } from '@tripline/runtime/logger';
import type { Config } from './config.ts';

/**
 * Settings that take effect in a running process. Who reads them must do so from the Config when it needs them: their
 * lists and objects stay the same ones, and only what they hold changes.
 */
export const reloadable = ['logLevel', 'silences', 'exceptions', 'remediation', 'slack.people'] as const;

/** What reading the settings anew led to, as paths of settings. */
export type Reloaded = { applied: string[]; needRestart: string[] };

/**
 * Takes from `next` what can be changed while a process runs. `next` must be whole and checked: nothing is taken of a
 * file that is wrong.
 */
export function applyReload(running: Config, next: Config): Reloaded {
  const changed = changesOf(running, next, []).filter((path) => !resolved.has(path));
  const isApplied = (path: string) => reloadable.some((name) => path === name || path.startsWith(`${name}.`));
  replaceContents(running.silences, next.silences);
  replaceContents(running.exceptions, next.exceptions);
  replaceContents(running.remediation, next.remediation);
  if (running.slack && next.slack) replaceContents(running.slack.people, next.slack.people);
  running.logLevel = next.logLevel;
  setLogLevel(next.logLevel);
  return { applied: changed.filter(isApplied), needRestart: changed.filter((path) => !isApplied(path)) };
}

/** Fields of Config that say where settings came from. */
const resolved: ReadonlySet<string> = new Set(['baseDir', 'file', 'remarks']);

function changesOf(before: unknown, after: unknown, path: readonly string[]): string[] {
  if (isRecord(before) && isRecord(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...names].flatMap((name) => changesOf(before[name], after[name], [...path, name]));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [path.join('.')];
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function replaceContents<T extends object>(target: T, source: T): void {
  if (Array.isArray(target)) {
    target.splice(0, target.length, ...(source as unknown[]));
    return;
  }
  for (const name of Object.keys(target)) delete target[name as keyof T];
  Object.assign(target, source);
}
