import { loadConfig } from '@tripline/config/config';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { connectStream } from '@tripline/stream/open';
import { type Command, type Io, readArguments } from '../command.ts';
import { type DeadLetter, readDeadLetters } from '../dead-letters/read.ts';
import { lineOf, moment } from '../show.ts';
import { momentOf, wholeNumber } from '../since.ts';
import { withStore } from '../store.ts';

const options = {
  since: { type: 'string', value: 'time', doc: 'how far back: 30m, 24h, 7d, a day or a time; 30d when absent' },
  limit: { type: 'string', value: 'n', doc: 'at most so many; 50 when absent' },
  json: { type: 'boolean', doc: 'print one JSON object a line, with all headers and what is kept of the content' },
} as const;

export const deadLetters: Command = {
  name: 'dead-letters',
  summary: 'Show what could not be read or processed, newest first, and why',
  usage: ['dead-letters [--since <time>] [--limit <n>] [--json]'],
  details:
    'Of what a feed sent and nobody could read, an outline is kept: names of fields, kinds and lengths of values, ids and ' +
    'times, since any other text may be a secret. The place says where to look for it at the provider. Of each feed, reason ' +
    'and workspace twenty are kept at once and one a minute; the next one says how many were not. Of an event that a rule or ' +
    'the detector could not process, the event is kept.',
  options,
  async run(args, io) {
    const { values } = readArguments(args, options, { atMost: 0 });
    const filter = {
      limit: wholeNumber('--limit', values.limit ?? '50'),
      sinceMs: momentOf('--since', values.since ?? '30d', Date.now()).getTime(),
    };
    const config = loadConfig(io.env, io.cwd);
    const logger = createLogger({ service: 'dead-letters', level: 'silent' });
    const { letters } = await withStore(config, async (db) => {
      const stream = connectStream({ config, db, logger, clock: systemClock });
      try {
        return await readDeadLetters(stream, filter);
      } finally {
        await stream.close();
      }
    });
    if (values.json) for (const one of letters) io.out(`${JSON.stringify(one)}\n`);
    else if (letters.length === 0) io.out('There are no dead letters.\n');
    else for (const one of letters) io.out(line(one, io));
    return 0;
  },
};

function line({ at, from, reason, place, workspace, unkept, content, headers }: DeadLetter, io: Io): string {
  return lineOf(io, [
    { text: moment(at) },
    { text: from.padEnd(14), style: 'bold' },
    { text: reason, style: 'yellow' },
    { text: place },
    { text: workspace ?? undefined },
    { text: unkept > 0 ? `${unkept} more were not kept` : undefined },
    { text: headers['tripline_feed'] === undefined ? undefined : JSON.stringify(content), style: 'dim' },
  ]);
}
