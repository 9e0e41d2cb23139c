import { setLogLevel } from '@tripline/runtime/logger';
import type { Config } from './config.ts';

/**
 * Settings that can be reloaded in a running process. Code must read them from the Config when it needs them: their
 * lists and objects keep their identity, and only their contents change.
 */
export const reloadable = [
  'logLevel',
  'rules',
  'silences',
  'exceptions',
  'overrides',
  'remediation',
  'slack.people',
] as const;
/** Those of them that decide what is found and reported: the detector reloads them as a whole, or not at all. */
const ofRules = ['rules', 'silences', 'exceptions', 'overrides'] as const;

/** The result of a reload, as paths of settings. */
export type Reloaded = { applied: string[]; needRestart: string[] };

/**
 * Applies from `next` the settings that can be reloaded. `next` must be complete and validated: nothing of a wrong file
 * is applied.
 */
export function applyReload(running: Config, next: Config): Reloaded {
  const changed = changesOf(running, next, []).filter((path) => !resolved.has(path));
  for (const name of ofRules) replaceContents(running[name], next[name]);
  replaceContents(running.remediation, next.remediation);
  if (running.slack && next.slack) replaceContents(running.slack.people, next.slack.people);
  running.logLevel = next.logLevel;
  setLogLevel(next.logLevel);
  return { applied: changed.filter(isReloadable), needRestart: changed.filter((path) => !isReloadable(path)) };
}

const isReloadable = (path: string): boolean => reloadable.some((name) => path === name || path.startsWith(`${name}.`));

/** Reloads settings in a running process. */
export type Reloading = {
  /**
   * Reloads all of them, or with `rules` only those of rules. One reload at a time; reports the result, and never
   * rejects.
   */
  reload: (what: 'all' | 'rules') => Promise<void>;
  /** Where rules run. Until then nothing is read, so that nothing is taken of settings of which nobody checked the rules. */
  attach: (part: RulesPart) => void;
};
export type RulesPart = {
  /**
   * Takes what `next` says of rules, as a whole, and says what is in force now that was not; null where nothing is. Rejects
   * where it is wrong, and then nothing changed.
   */
  take: (next: Config) => Promise<string | null>;
  /**
   * Told what each time came of it: null, or what is wrong, which it logs, so that nobody else says it. `isAsked`: somebody
   * asked for it, rather than that a file changed.
   */
  outcome: (fault: Error | null, isAsked: boolean) => Promise<void>;
};

/**
 * Reloads settings into `running`, which services hold. Wrong settings or rules leave those in force unchanged.
 * `runsRules`: whether the process runs rules, and will {@link Reloading.attach} the part that reloads them.
 */
export function createReloading(
  running: Config,
  options: {
    read: () => Config;
    say: (line: string) => void;
    sentenceFor: (error: unknown) => string;
    runsRules: boolean;
  },
): Reloading {
  const { read, say, sentenceFor } = options;
  let part: RulesPart | undefined;
  let turn: Promise<void> = Promise.resolve();
  let former: Error | null = null;
  async function reload(what: 'all' | 'rules'): Promise<void> {
    if (options.runsRules && part === undefined) {
      say('settings are not reloaded while Tripline starts; try again');
      return;
    }
    let fault: Error | null = null;
    try {
      const given = read();
      const next = what === 'all' ? given : { ...running, ...onlyOfRules(given) };
      const rules = await part?.take(next);
      const waits = changesOf(next, given, []).filter((path) => !resolved.has(path) && isReloadable(path));
      const { applied: ofSettings, needRestart } = applyReload(running, next);
      const applied = rules ? [...ofSettings, rules] : ofSettings;
      // The file was touched but has the same content.
      const isNothing = what === 'rules' && applied.length + waits.length === 0 && former === null;
      const corrected = former === null ? '' : 'what was wrong is corrected; ';
      const taken = applied.length > 0 ? `now in force: ${applied.join(', ')}` : 'nothing that is in force changed';
      const left = needRestart.length > 0 ? `; restart to apply ${needRestart.join(', ')}` : '';
      const asks = waits.length > 0 ? `; SIGHUP applies ${waits.join(', ')}` : '';
      if (!isNothing) say(`settings were reloaded: ${corrected}${taken}${left}${asks}`);
    } catch (error) {
      fault = error as Error;
      if (part === undefined) say(`reloading settings failed; those in force stay: ${sentenceFor(error)}`);
    }
    former = fault;
    await part
      ?.outcome(fault, what === 'all')
      .catch((error) => say(`what came of it could not be kept: ${sentenceFor(error)}`));
  }
  return {
    reload(what) {
      turn = turn.then(() => reload(what));
      return turn;
    },
    attach(one) {
      part = one;
    },
  };
}

const onlyOfRules = ({ rules, silences, exceptions, overrides }: Config) => ({
  rules,
  silences,
  exceptions,
  overrides,
});

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
  if (target === source) return;
  if (Array.isArray(target)) {
    target.splice(0, target.length, ...(source as unknown[]));
    return;
  }
  for (const name of Object.keys(target)) delete target[name as keyof T];
  Object.assign(target, source);
}
