import { loadConfig } from '@tripline/config/config';
import { listReceived, type Received } from '@tripline/trail/received';
import { type Command, type Io, readArguments } from '../command.ts';
import { lineOf, moment, type Style } from '../show.ts';
import { momentOf, wholeNumber } from '../since.ts';
import { withStore } from '../store.ts';

const options = {
  since: { type: 'string', value: 'time', doc: 'how far back: 30m, 24h, 7d, a day or a time; 30d when absent' },
  actor: { type: 'string', value: 'login', doc: 'only what this person or bot did' },
  repository: { type: 'string', value: 'name', doc: 'only what concerns this repository, owner/name or name' },
  type: { type: 'string', value: 'text', doc: 'only types that hold this, such as grant, ref.pushed or member' },
  limit: { type: 'string', value: 'n', doc: 'at most so many; 100 when absent' },
  json: { type: 'boolean', doc: 'print one JSON object a line, with all that the event says' },
} as const;

export const events: Command = {
  name: 'events',
  summary: 'Show what was received, newest first, and what became of it',
  usage: ['events [--since <time>] [--actor <login>] [--repository <name>] [--type <text>] [--limit <n>] [--json]'],
  details:
    'Kept: it is in the log and in the audit trail. Repeated: kept, but the same body was received before under another id. ' +
    'Ignored: genuine, and not kept for the reason shown. Refused: not genuine, not whole or too large; who ' +
    'sent it is not known, so only numbers and a few examples are. A receiver names at most twenty of them a second ' +
    'and counts the rest.',
  options,
  async run(args, io) {
    const { values } = readArguments(args, options, { atMost: 0 });
    const { actor, repository, type } = values;
    const filter = {
      since: momentOf('--since', values.since ?? '30d', Date.now()),
      limit: wholeNumber('--limit', values.limit ?? '100'),
      ...(actor !== undefined && { actor }),
      ...(repository !== undefined && { repository }),
      ...(type !== undefined && { type }),
    };
    const received = await withStore(loadConfig(io.env, io.cwd), (db) => listReceived(db, filter));
    if (values.json) for (const one of received) io.out(`${JSON.stringify(one)}\n`);
    else if (received.length === 0) io.out('Nothing was received.\n');
    else {
      const widths = widthsOf(received);
      for (const one of received) io.out(line(one, widths, io));
    }
    return 0;
  },
};

const styles: Record<Received['state'], Style> = {
  kept: 'green',
  repeated: 'yellow',
  faulty: 'red',
  ignored: 'dim',
  refused: 'red',
};

/** The outcome and, where it was not kept, the reason. */
function becameOf({ state, why }: Received): string {
  return isUnkept(state) ? `${state}: ${why}` : state;
}
const isUnkept = (state: Received['state']) => state === 'ignored' || state === 'refused';
const typeOf = ({ type }: Received) => (type ?? '-').replace(/^dev\.cdevents(?:x\.tripline-|\.)/, '');

/** Columns as wide as what stands in them. */
type Widths = { became: number; type: number; actor: number };
function widthsOf(received: readonly Received[]): Widths {
  const widest = (text: (one: Received) => string) => Math.max(...received.map((one) => text(one).length));
  return { became: widest(becameOf), type: widest(typeOf), actor: widest(({ actor }) => actor ?? '') };
}

function line(received: Received, widths: Widths, io: Io): string {
  const { at, state, why, count, actor, repository, workspace, id, feed } = received;
  return lineOf(io, [
    { text: moment(at) },
    { text: becameOf(received).padEnd(widths.became), style: styles[state] },
    { text: typeOf(received).padEnd(widths.type), style: 'bold' },
    { text: (actor ?? '').padEnd(widths.actor) },
    { text: repository ?? workspace ?? '' },
    { text: count > 1 ? `${count} times` : undefined },
    { text: id ?? feed ?? '', style: 'dim' },
    { text: isUnkept(state) || why === null ? undefined : state === 'repeated' ? `as ${why}` : why },
  ]);
}
