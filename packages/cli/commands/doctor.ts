import { loadConfig } from '@tripline/runtime/config';
import { plain } from '@tripline/runtime/plain';
import { type Command, type Io, readArguments } from '../command.ts';
import type { Check } from '../doctor/check.ts';
import { checkDatabase } from '../doctor/database.ts';
import { checkLocal } from '../doctor/local.ts';
import { checkLog } from '../doctor/log.ts';
import { checkProviders } from '../doctor/providers.ts';
import { sentenceFor } from '../errors.ts';
import { styled } from '../show.ts';
import { withStore } from '../store.ts';

const options = { json: { type: 'boolean', doc: 'print one JSON object a line' } } as const;

export const doctor: Command = {
  name: 'doctor',
  summary: 'Check every setting and connection, and say what to mend and what is still being learned',
  usage: ['doctor [--json]'],
  details: 'Changes nothing, and pages nobody. Exit status 1 when something is broken.',
  options,
  async run(args, io) {
    const { values } = readArguments(args, options, { atMost: 0 });
    const config = loadConfig(io.env, io.cwd);
    const { loadRules } = await import('@tripline/detector/load-rules');
    const rules = (await loadRules(config)).map(({ rule }) => rule);
    const stored = async (): Promise<Check[]> => {
      try {
        return await withStore(config, async (db) => [
          ...(await checkDatabase(db, config, rules)),
          ...(await checkLog(config, db)),
        ]);
      } catch (error) {
        const says = sentenceFor(error);
        if (says === null) throw error;
        return [{ what: 'Postgres', state: config.database.url ? 'broken' : 'off', says }];
      }
    };
    const checks = (await Promise.all([checkLocal(config), stored(), checkProviders(config)])).flat();
    const width = Math.max(...checks.map(({ what }) => what.length));
    for (const check of checks) io.out(values.json ? `${JSON.stringify(check)}\n` : line(check, width, io));
    const broken = checks.filter(({ state }) => state === 'broken').length;
    if (!values.json) io.out(broken === 0 ? '\nNothing is broken.\n' : `\n${broken} to mend.\n`);
    return broken === 0 ? 0 : 1;
  },
};

const marks = { ok: ['green', '✓'], note: ['yellow', '!'], off: ['dim', '–'], broken: ['red', '✗'] } as const;

function line({ what, state, says, mend }: Check, width: number, io: Io): string {
  const [style, mark] = marks[state];
  const advice = mend ? `\n${' '.repeat(width + 4)}→ ${plain(mend)}` : '';
  return `${styled(io, style, mark)} ${plain(what).padEnd(width)}  ${plain(says)}${advice}\n`;
}
