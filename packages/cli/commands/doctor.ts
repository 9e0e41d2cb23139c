import { type Config, loadConfig } from '@tripline/config/config';
import type { Check } from '@tripline/contracts/check';
import type { RuleSet } from '@tripline/detector/load-rules';
import { faultOfDuty } from '@tripline/integrations/pagerduty/duty';
import { ConfigError } from '@tripline/runtime/load-settings';
import { plain } from '@tripline/runtime/plain';
import { versionsTaken } from '../access/policy-versions.ts';
import { type Command, type Io, readArguments, UserError } from '../command.ts';
import { checkBroker } from '../doctor/broker.ts';
import { checkDatabase } from '../doctor/database.ts';
import { checkDuty } from '../doctor/duty.ts';
import { checkGranting } from '../doctor/granting.ts';
import { checkLocal } from '../doctor/local.ts';
import { checkLog } from '../doctor/log.ts';
import { checkProviders } from '../doctor/providers.ts';
import { checkSigma } from '../doctor/sigma.ts';
import { checkStepUp } from '../doctor/step-up.ts';
import { sentenceFor } from '../errors.ts';
import { styled, widthOf, wrapped } from '../show.ts';
import { withStore } from '../store.ts';

const options = {
  json: { type: 'boolean', doc: 'print one JSON object a check: name, state (ok, off or broken), detail, remedy' },
} as const;

export const doctor: Command = {
  name: 'doctor',
  summary: 'Check every setting and connection, and say what to fix and what is still being learned',
  usage: ['doctor [--json]'],
  details:
    'Changes nothing, and pages nobody. Exit status 1 when something is broken: packages/contracts/CHECKS.md says when each check is.',
  options,
  async run(args, io) {
    const { values } = readArguments(args, options, { atMost: 0 });
    const checks = await checkAll(io);
    const width = Math.max(...checks.map(({ name }) => name.length));
    for (const check of checks) io.out(values.json ? `${JSON.stringify(toJson(check))}\n` : line(check, width, io));
    const broken = checks.filter(({ state }) => state === 'broken').length;
    if (!values.json) io.out(`\n${summaryOf(checks, broken)}\n`);
    return broken === 0 ? 0 : 1;
  },
};

async function checkAll(io: Io): Promise<Check[]> {
  let config: Config;
  try {
    config = loadConfig(io.env, io.cwd);
  } catch (error) {
    return brokenSettings(error, 'correct it; SETTINGS.md names every setting');
  }
  let ruleSet: RuleSet | null = null;
  let faults: Check[] = [];
  try {
    const { loadRuleSet } = await import('@tripline/detector/load-rules');
    ruleSet = await loadRuleSet(config);
  } catch (error) {
    // The other checks run as well: a bad rule may be the smallest problem.
    faults = brokenSettings(error, 'correct it: `npx tripline rules validate` says whether a detector would accept it');
  }
  const rules = ruleSet?.rules.map(({ rule }) => rule) ?? null;
  const stored = async (): Promise<Check[]> => {
    try {
      return await withStore(config, async (db) => [
        ...(await checkDatabase(db, config, rules)),
        ...(await checkLog(config, db)),
      ]);
    } catch (error) {
      const detail = sentenceFor(error) ?? (error as Error).message;
      if (error instanceof UserError) return [{ name: 'Postgres', state: 'off', detail }];
      const remedy = config.database.url
        ? 'check DATABASE_URL and that the server runs'
        : `see to ${config.dataDir}, where the embedded one lies, and to server.log in it`;
      return [{ name: 'Postgres', state: 'broken', detail, remedy }];
    }
  };
  const ofRules = ruleSet === null ? [] : [...checkGranting(ruleSet.rules), ...checkSigma(ruleSet)];
  return [
    ...faults,
    ...(
      await Promise.all([
        checkLocal(config),
        ofRules,
        stored(),
        checkProviders(config),
        checkBroker(config),
        checkStepUp(config),
        checkDuty(config, {
          fault: faultOfDuty,
          taken: () => withStore(config, async (db) => (await versionsTaken(db, config, 1))[0]),
        }),
      ])
    ).flat(),
  ];
}

/** @throws `error`, where no setting is to blame. */
function brokenSettings(error: unknown, remedy: string): Check[] {
  if (!(error instanceof ConfigError)) throw error;
  return error.message.split('\n').map((detail) => ({ name: 'settings', state: 'broken', detail, remedy }));
}

const toJson = ({ name, state, detail, remedy }: Check) => ({ name, state, detail, remedy: remedy ?? null });

function summaryOf(checks: readonly Check[], broken: number): string {
  const advised = checks.filter(isAdvised).length;
  const more = advised === 0 ? '' : ` ${advised} to look at.`;
  return `${broken === 0 ? 'Nothing is broken.' : `${broken} to fix.`}${more}`;
}

/** Nothing is broken, and there is something that people should know or do. */
const isAdvised = ({ state, remedy }: Check) => state === 'ok' && remedy !== undefined;

const marks = { ok: ['green', '✓'], off: ['dim', '–'], broken: ['red', '✗'] } as const;
const advisedMark = ['yellow', '!'] as const;

/** Text in a column narrower than this, in characters, is no longer read with ease. */
const readableWidth = 40;

function line(check: Check, width: number, io: Io): string {
  const { name, state, detail, remedy } = check;
  const [style, mark] = isAdvised(check) ? advisedMark : marks[state];
  // On a narrow terminal what was found stands below its name.
  const isBeside = io.columns === undefined || widthOf(io) - width - 4 >= readableWidth;
  const indent = isBeside ? width + 4 : 4;
  const begin = `\n${' '.repeat(indent)}`;
  const advice = remedy ? `${begin}→ ${wrapped(io, plain(remedy), indent + 2)}` : '';
  const title = `${styled(io, style, mark)} ${isBeside ? `${plain(name).padEnd(width)}  ` : `${plain(name)}${begin}`}`;
  return `${title}${wrapped(io, plain(detail), indent)}${advice}\n`;
}
