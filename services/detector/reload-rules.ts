import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import type { Config } from '@tripline/config/config';
import type { Reloading } from '@tripline/config/reload';
import type { Db } from '@tripline/db/database';
import { clearReloadFault, noteReloadFault, reloadFaultsEveryMs } from '@tripline/health/reload-faults';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { Gauge } from 'prom-client';
import type { Detector } from './detector.ts';
import { loadRuleSet, type RuleSet, RuleSetError } from './load-rules.ts';
import { filesNamedBy, sigmaFilesOf } from './rule-files.ts';

/** How often files are looked at. One that changed is read once it stayed as it is for as long: half of it says something else. */
const lookEveryMs = 2000;

/**
 * Has the detector take rules and what settings say of them anew, whenever `reloading` is asked to, and when tripline.yaml
 * or a file of rules changed. What is wrong leaves the set in force as it is, and is told by log, metric and health until
 * it is mended. Files are looked at by the clock rather than by the system's notices, which network file systems and
 * mounted ConfigMaps do not give.
 */
export function startReloading(parts: {
  config: Config;
  reloading: Reloading;
  detector: Pick<Detector, 'use'>;
  /** What the detector began with. */
  ruleSet: RuleSet;
  db: Db;
  logger: Logger;
  clock: Clock;
  metrics: Metrics;
}): { close: () => Promise<void> } {
  const { config, reloading, detector, db, logger, clock } = parts;
  const measures = createMeasures(parts.metrics);
  const self = `${hostname()}:${process.pid}`;
  const closing = new AbortController();
  let current = parts.ruleSet;
  /** What keeps the newest from being in force; `files` that it loaded until then. */
  let fault: { reason: string; files: readonly string[]; toldMs: number } | null = null;

  measures.successful.set(1);
  logRefused(current, logger);
  reloading.attach({
    async take(next) {
      const { rules, silences, exceptions, overrides, remediation } = next;
      const set = await loadRuleSet({ ...config, rules, silences, exceptions, overrides, remediation }, current);
      const former = current.version;
      if (set.version === former) return null;
      current = set;
      await detector.use(set);
      logRefused(set, logger);
      logger.info({ ruleSet: set.version, former, rules: set.rules.length }, 'rules were loaded anew and are in force');
      return `rules of version ${set.version}`;
    },
    async outcome(error, isAsked) {
      measures.successful.set(error === null ? 1 : 0);
      if (error === null) {
        measures.lastSuccess.set(clock.nowMs() / 1000);
        if (fault !== null) await clearReloadFault(db, self);
        fault = null;
        return;
      }
      const { message } = error;
      const files = error instanceof RuleSetError ? error.files.map(({ path }) => path) : [];
      const isNews = isAsked || fault?.reason !== message;
      fault = { reason: message, files, toldMs: clock.nowMs() };
      logger[isNews ? 'error' : 'debug'](
        // With the time of asking each is a line of its own: whoever sends SIGHUP again must see what came of it.
        { ruleSet: current.version, reason: message, ...(isAsked ? { askedAtMs: clock.nowMs() } : {}) },
        `reloading settings failed; those in force stay until the new ones are corrected: ${message}`,
      );
      await noteReloadFault(db, self, message);
    },
  });

  /** What is looked at, as the file system tells of it. */
  function fingerprint(): string {
    const named = [
      ...config.rules.files.flatMap((file) => orNone(() => filesNamedBy(file, config.baseDir))),
      ...config.rules.sigma.flatMap((folder) => orNone(() => sigmaFilesOf(folder, config.baseDir))),
    ];
    const files = new Set([...named, ...current.own.files.map(({ path }) => path), ...(fault?.files ?? [])]);
    // What a file imports in vain lies beside it as a rule, once it is there.
    if (fault !== null) for (const file of [...files]) files.add(dirname(file));
    // Where there was none at the start, somebody may write the first one.
    files.add(config.file ?? join(config.baseDir, 'tripline.yaml'));
    return [...files].sort().map(stateOf).join('\n');
  }

  async function watch(): Promise<void> {
    let handled = fingerprint();
    let last = handled;
    while (!closing.signal.aborted) {
      await clock.pause(lookEveryMs, closing.signal);
      if (closing.signal.aborted) return;
      const now = fingerprint();
      const isSettled = now === last;
      last = now;
      if (now !== handled && isSettled) {
        handled = now;
        await reloading.reload('rules');
      } else if (fault !== null && clock.nowMs() - fault.toldMs >= reloadFaultsEveryMs) {
        fault.toldMs = clock.nowMs();
        await noteReloadFault(db, self, fault.reason).catch((error) => {
          logger.warn({ err: error }, 'recording that the reload failed did not succeed; retrying in a minute');
        });
      }
    }
  }
  const watching = watch();

  return {
    close: async () => {
      closing.abort();
      await watching;
      if (fault !== null) await clearReloadFault(db, self).catch(() => {});
    },
  };
}

function orNone(read: () => string[]): string[] {
  try {
    return read();
  } catch {
    return [];
  }
}

/** Says which Sigma rules are not run, a line each: whoever put them there believes that they are. */
function logRefused({ sigma }: RuleSet, logger: Logger): void {
  for (const { file, title, reason, isOther } of sigma.refused) {
    const what = title === undefined ? file : `${title} of ${file}`;
    if (!isOther)
      logger.warn({ file, title, reason }, `Sigma rule refused; the others are in force: ${what}: ${reason}`);
  }
  const others = sigma.refused.filter(({ isOther }) => isOther).length;
  if (others > 0) logger.info({ rules: others }, 'Sigma rules for log sources that no feed tells are not run');
}

function stateOf(path: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${path} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (error) {
    return `${path} ${(error as NodeJS.ErrnoException).code}`;
  }
}

function createMeasures(metrics: Metrics) {
  const registers = [metrics];
  return {
    successful: new Gauge({
      name: 'tripline_detector_last_reload_successful',
      help: 'Whether rules and settings could be loaded the last time; 0 while former ones are in force',
      registers,
    }),
    lastSuccess: new Gauge({
      name: 'tripline_detector_last_reload_success_timestamp_seconds',
      help: 'When rules and settings were last loaded anew, as Unix time; 0 since the start',
      registers,
    }),
  };
}
