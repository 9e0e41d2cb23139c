import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { loadConfig } from '@tripline/config/config';
import { capturedEnding, writeCaptured } from '@tripline/contracts/captured';
import { fromEventRecord } from '@tripline/contracts/event-record';
import type { Db } from '@tripline/db/database';
import { loadRuleSet } from '@tripline/detector/load-rules';
import { topics } from '@tripline/stream/stream';
import { findEvent, type KeptRecord, type Newest, readNewest } from '@tripline/trail/read-log';
import { captured } from '../capture/capture.ts';
import { type Command, readArguments, UsageError, UserError } from '../command.ts';
import { eventIdOf } from '../event-id.ts';
import { wrapped } from '../show.ts';
import { momentOf, wholeNumber } from '../since.ts';
import { withStore } from '../store.ts';

const options = {
  event: { type: 'string', value: 'id', doc: 'up to this event or delivery, of its workspace' },
  rule: {
    type: 'string',
    value: 'id',
    multiple: true,
    doc: 'only what this rule reads, judged by it alone; may be given several times',
  },
  type: {
    type: 'string',
    value: 'text',
    multiple: true,
    doc: 'only types that hold this, such as grant or ref.pushed; may be given several times',
  },
  workspace: { type: 'string', value: 'name', doc: 'only of this workspace' },
  since: { type: 'string', value: 'time', doc: 'how far back to look: 30m, 24h, 7d, a day or a time; 30d when absent' },
  out: {
    type: 'string',
    value: 'file',
    doc: `where to write it, such as odd-grant${capturedEnding}; to standard output when absent`,
  },
} as const;

const mostEvents = 100_000;

export const capture: Command = {
  name: 'capture',
  summary: 'Make a test fixture of the newest deliveries that were kept, with all names replaced',
  usage: [
    'capture <n> [--event <id>] [--rule <id> …] [--type <text> …] [--workspace <name>] [--since <time>] [--out <file>]',
  ],
  details:
    'Raw bodies are not kept, so what is captured is events, as the audit trail holds them (`tripline events --json`). ' +
    'Logins, organisations, repositories, refs, titles and texts, addresses, URLs, ids, hashes and settings of rules are replaced, the same by the same wherever it stands, by as much of the same form; nothing leads back. ' +
    'Times, numbers of up to four digits that are no ids, the provider’s own words and those that rules look for stay. ' +
    'The file says what the rules in force find in it: `tripline rules test <file>` holds them to that, `tripline replay --captured <file>` shows it. ' +
    'Exit status 1, and the file is written all the same, where that is not what they find in the events as they were.',
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 1 });
    if (positionals[0] === undefined) throw new UsageError('say how many events: `tripline capture 50`');
    const most = wholeNumber('<n>', positionals[0]);
    if (most > mostEvents) throw new UsageError(`<n> must be at most ${mostEvents}`);
    const { rule: only = [], type: types = [], workspace, event } = values;
    const nowMs = Date.now();
    const from = momentOf('--since', values.since ?? '30d', nowMs);
    const config = loadConfig(io.env, io.cwd);
    const { rules } = await loadRuleSet(config);
    for (const id of only) {
      if (!rules.some(({ rule }) => rule.id === id))
        throw new UsageError(`--rule: there is no rule ${id} in force; \`tripline rules\` lists them`);
    }
    const wanted: Newest = {
      ...{ topic: topics.events, from, to: new Date(nowMs), most },
      ...(workspace === undefined ? {} : { workspace }),
      ...typesOf(rules, only, types),
    };
    const records = await withStore(config, (db) => recordsOf(db, wanted, event));
    if (records.length === 0)
      throw new UserError(
        'there is nothing to capture: no event that was kept is of this kind and time; see `tripline events`',
      );
    const events = records.map((record) => ({ atMs: record.appendedAtMs, event: withoutPlace(record) }));
    const { fixture, differences } = await captured(events, {
      ...{ rules, only, learningDays: config.learningDays, random: drawn },
      // Of an event in the past what followed within a day.
      untilMs: event === undefined ? nowMs : Math.min(nowMs, events.at(-1)!.atMs + 86_400_000),
    });
    const text = writeCaptured(fixture);
    if (values.out === undefined) io.out(text);
    else write(resolve(io.cwd, values.out), text);
    const found = fixture.expected.length === 1 ? '1 finding' : `${fixture.expected.length} findings`;
    const say = (line: string) => io.err(`${wrapped(io, line, 0)}\n`);
    say(`${events.length} events, in which the rules in force find ${found}.`);
    for (const { rule, original, captured: count } of differences)
      say(
        `${rule}: ${original} found in the events as they were, ${count} with names replaced: it looks for something that was replaced.`,
      );
    return differences.length === 0 ? 0 : 1;
  },
};

/** By chance that nobody can guess. */
const drawn = (): number => randomInt(2 ** 47) / 2 ** 47;

function typesOf(
  rules: Awaited<ReturnType<typeof loadRuleSet>>['rules'],
  only: readonly string[],
  holding: readonly string[],
): Pick<Newest, 'types'> {
  if (only.length === 0 && holding.length === 0) return {};
  const named = rules.filter(({ rule }) => only.length === 0 || only.includes(rule.id));
  const read = named.flatMap(({ rule }) => [
    ...rule.reads,
    ...(rule.concludes?.uses ?? []).flatMap((fact) => fact.reads),
  ]);
  const types = [...new Set<string>(read)];
  return { types: holding.length === 0 ? types : types.filter((type) => holding.some((text) => type.includes(text))) };
}

async function recordsOf(db: Db, wanted: Newest, event: string | undefined): Promise<KeptRecord[]> {
  if (event === undefined) return readNewest(db, wanted);
  const [found] = await findEvent(db, eventIdOf(event));
  if (found === undefined) throw new UserError(`no event ${event} was kept; \`tripline events\` shows their ids`);
  const { record, workspace } = found;
  return readNewest(db, { ...wanted, ...(workspace === null ? {} : { workspace }), upTo: record });
}

function withoutPlace(record: KeptRecord) {
  const { position, ...event } = fromEventRecord(record, record);
  return event;
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw new UserError(
      `${file} ${isThere ? 'is there already: name another' : `cannot be written: ${(error as Error).message}`}`,
    );
  }
}
