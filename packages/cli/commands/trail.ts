import { loadConfig } from '@tripline/config/config';
import { verifyTrail } from '@tripline/trail/verify-trail';
import { type Command, oneOf, readArguments } from '../command.ts';
import { withStore } from '../store.ts';

const options = { json: { type: 'boolean', doc: 'print the verdict as one JSON object' } } as const;

export const trail: Command = {
  name: 'trail',
  summary: 'Prove that the audit trail is as it was written, or name the row that is not',
  usage: ['trail verify [--json]'],
  details:
    'Recomputes every hash chain. Exit status 1 when a row was changed, is missing or was inserted. Keep the hash of each ' +
    "chain's end somewhere else: it proves that nobody rewrote the whole chain.",
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 1 });
    oneOf('verb', positionals[0], ['verify']);
    const verdict = await withStore(loadConfig(io.env, io.cwd), ({ pool }) => verifyTrail(pool));
    if (values.json) {
      io.out(`${JSON.stringify(verdict)}\n`);
    } else {
      for (const chain of verdict.chains) {
        const rows = `${chain.rows} ${chain.rows === 1 ? 'row' : 'rows'}`;
        io.out(`${chain.topic} partition ${chain.partition}: ${rows} to offset ${chain.lastOffset}, ${chain.hash}\n`);
      }
      for (const fault of verdict.faults) {
        const event = fault.eventId === null ? '' : ` (event ${fault.eventId})`;
        io.out(
          `${fault.kind}: ${fault.topic} partition ${fault.partition} offset ${fault.offset}${event}: ${fault.what}\n`,
        );
      }
      const more = verdict.faultCount - verdict.faults.length;
      if (more > 0) io.out(`and ${more} more\n`);
      io.out(verdict.faultCount === 0 ? `${verdict.rows} rows are as they were written\n` : '');
    }
    return verdict.faultCount === 0 ? 0 : 1;
  },
};
