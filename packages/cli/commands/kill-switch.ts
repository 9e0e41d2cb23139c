import { loadConfig } from '@tripline/config/config';
import { readRemediationSwitch, setRemediationSwitch } from '@tripline/incidents/kill-switch';
import { resumeRefused } from '@tripline/remediator/store/requeue';
import { plain } from '@tripline/runtime/plain';
import { whoRuns } from '../actor.ts';
import { type Command, oneOf, readArguments } from '../command.ts';
import { moment } from '../show.ts';
import { withStore } from '../store.ts';

const options = {
  reason: { type: 'string', value: 'text', doc: 'why, for those who ask later' },
  resume: { type: 'boolean', doc: 'with off: have the guard decide again on what was refused meanwhile, within a day' },
  json: { type: 'boolean', doc: 'print its state as one JSON object: stopped, by, at, reason' },
} as const;

export const killSwitch: Command = {
  name: 'kill-switch',
  summary: 'Stop every automatic action at once, allow them again, or show the state',
  usage: [
    'kill-switch on [--reason <text>]',
    'kill-switch off [--reason <text>] [--resume]',
    'kill-switch [status] [--json]',
  ],
  details:
    'Read right before each request to a provider, so it works without a deploy or a restart. Findings go on. What was ' +
    'refused while it was on stays refused, unless it is resumed when it is lifted.',
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 1 });
    const verb = oneOf('position', positionals[0] ?? 'status', ['on', 'off', 'status']);
    const now = await withStore(loadConfig(io.env, io.cwd), async (db) => {
      if (verb !== 'status') {
        await setRemediationSwitch(db, { stopped: verb === 'on', by: whoRuns(), reason: values.reason });
        if (verb === 'off' && values.resume) {
          const steps = await resumeRefused(db);
          io.out(`${steps} ${steps === 1 ? 'step is' : 'steps are'} put to the guard again\n`);
        }
      }
      return readRemediationSwitch(db);
    });
    if (values.json) {
      const { stopped, by, at, reason } = now ?? { stopped: false, by: null, at: null, reason: null };
      io.out(`${JSON.stringify({ stopped, by, at, reason })}\n`);
      return 0;
    }
    const why = now?.reason ? `: ${plain(now.reason)}` : '';
    const since = now ? `, since ${moment(now.at)} UTC, by ${plain(now.by.name)}${why}` : '';
    io.out(`The kill switch is ${now?.stopped ? 'ON: no automatic action is taken' : 'off'}${since}\n`);
    return 0;
  },
};
