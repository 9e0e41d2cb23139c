import { loadConfig } from '@tripline/config/config';
import { intents } from '@tripline/contracts/response';
import { plain } from '@tripline/runtime/plain';
import type { Scenario } from '@tripline/scenarios/scenario';
import { playAll, rowsOf } from '../attack/all.ts';
import { conclusion, table } from '../attack/all-table.ts';
import { playDrill, receiverOf } from '../attack/drill.ts';
import { castFor, type DrillVerdict, type Report } from '../attack/play.ts';
import type { Responded } from '../attack/seen.ts';
import { type Command, type Io, oneOf, readArguments, UsageError } from '../command.ts';
import { sinceText, styled, tookText, widthOf, wrap } from '../show.ts';
import { withStore } from '../store.ts';

const options = {
  all: { type: 'boolean', doc: 'play every scenario and its honest twin, and show one table' },
  benign: { type: 'boolean', doc: 'play the honest twin, on which nothing may fire' },
  json: { type: 'boolean', doc: 'print one JSON object a line' },
  url: { type: 'string', value: 'url', doc: "the receiver's address, when it does not run here" },
} as const;

export const attack: Command = {
  name: 'attack',
  summary: 'Play a breach against the running Tripline and show what it makes of it',
  usage: ['attack', 'attack <scenario> [--benign] [--json] [--url <url>]', 'attack --all [--json] [--url <url>]'],
  details: [
    'Signed deliveries go over HTTP, in a workspace of their own. Shown is what was sent, found and notified, and what would',
    'have been done, since nothing is ever done for a drill; times count from the start. In the end the incidents of the',
    'drill are resolved as accepted. Exit status 0 only when all that the scenario expects happened; what else was found is',
    'listed. On the honest twin nothing may be found at all. Without a scenario, their names are listed. With --all every',
    'scenario and its twin are played, several at once unless Slack is really told of them: one row each, with the event that',
    'decides, the rule, and how long after it was found and a response recorded; and which breaches wait for other feeds.',
  ].join('\n'),
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 1 });
    const { scenarios } = await import('@tripline/scenarios/registry');
    if (values.all) {
      if (positionals[0] !== undefined) throw new UsageError('--all plays every scenario: name none');
      if (values.benign) throw new UsageError('--all plays the honest twins too: leave --benign out');
      return attackAll(scenarios, { json: values.json ?? false, url: values.url }, io);
    }
    if (positionals[0] === undefined) {
      for (const scenario of scenarios) io.out(listed(scenario));
      return 0;
    }
    const ids = scenarios.map((scenario) => scenario.id);
    const id = oneOf('scenario', positionals[0], ids);
    const scenario = scenarios.find((candidate) => candidate.id === id)!;
    const benign = values.benign ?? false;
    const json = values.json ?? false;
    const config = loadConfig(io.env, io.cwd);
    const receiver = receiverOf(config, values.url);
    const cast = castFor(scenario, Date.now());
    const verdict = await withStore(config, async (db) => {
      if (!json) introduce(scenario, benign, cast.organization, io);
      return await playDrill({ db, config, receiver, lookEveryMs: 15 }, { scenario, benign, cast }, (item) =>
        io.out(json ? `${JSON.stringify(withoutClock(item))}\n` : describe(item, io)),
      );
    });
    if (json) io.out(`${JSON.stringify({ what: 'verdict', ok: verdict.faults.length === 0, ...verdict })}\n`);
    else conclude(verdict, benign, io);
    return verdict.faults.length === 0 ? 0 : 1;
  },
};

function listed({ id, title, breach }: Scenario): string {
  return `${id.padEnd(34)}${(breach?.date ?? '').padEnd(12)}${title}\n`;
}

/** As many as keep two cores busy and the figures honest. */
const playedAtOnce = 6;

async function attackAll(
  scenarios: readonly Scenario[],
  { json, url }: { json: boolean; url: string | undefined },
  io: Io,
): Promise<number> {
  const { waitingBreaches } = await import('@tripline/scenarios/breaches');
  const config = loadConfig(io.env, io.cwd);
  const receiver = receiverOf(config, url);
  const begunMs = performance.now();
  const all = 2 * scenarios.length;
  const say = (done: number) => {
    if (io.isTerminal)
      io.err(`\r${'█'.repeat(Math.round((30 * done) / all)).padEnd(30, '░')}  ${done} of ${all} played `);
  };
  say(0);
  const played = await withStore(config, (db) =>
    playAll(scenarios, {
      // Slack takes a message a second: a channel that is really told of each would be behind, and group them.
      atOnce: config.slack?.botToken === undefined ? playedAtOnce : 1,
      playOne: (scenario, variant) =>
        playDrill({ db, config, receiver, lookEveryMs: 30 }, { scenario, ...variant }, () => {}),
      onPlayed: say,
    }),
  ).finally(() => io.isTerminal && io.err('\r\u001b[2K'));
  const rows = rowsOf(played);
  const ok = rows.every(({ faults }) => faults.length === 0);
  const tookMs = Math.round(performance.now() - begunMs);
  if (json) {
    for (const row of rows) io.out(`${JSON.stringify({ what: 'scenario', ok: row.faults.length === 0, ...row })}\n`);
    for (const breach of waitingBreaches) io.out(`${JSON.stringify({ what: 'waiting', ...breach })}\n`);
    io.out(`${JSON.stringify({ what: 'verdict', ok, played: rows.length, tookMs })}\n`);
  } else io.out(`${table(rows, io)}${conclusion(rows, waitingBreaches, tookMs, io)}`);
  return ok ? 0 : 1;
}

/** `atMs` is on this process's monotonic clock, meaningless to others. */
function withoutClock(item: Report): Record<string, unknown> {
  const { atMs: _, ...rest } = item as Report & { atMs?: number };
  return rest;
}

function introduce(scenario: Scenario, benign: boolean, organization: string, io: Io): void {
  const width = widthOf(io);
  const narrative = benign
    ? 'The same people doing the honest version of the same work: nothing may be found.'
    : scenario.narrative;
  io.out(`${styled(io, 'bold', wrap(`${scenario.title}${benign ? ': the honest twin' : ''}`, width))}\n`);
  io.out(`${wrap(narrative, width)}\n`);
  io.out(`${styled(io, 'dim', wrap(`Workspace ${organization}; times count from the start.`, width))}\n\n`);
}

function describe(item: Report, io: Io): string {
  switch (item.what) {
    case 'sent':
      return entry(io, item.ms, 'sent', 'dim', `${item.says} (${item.event})`);
    case 'acted':
      return entry(io, item.ms, 'acted', 'cyan', item.says);
    case 'found': {
      const { rule, title, severity, confidence } = item;
      return entry(io, item.ms, 'FOUND', ['bold', 'red'], `${rule}: ${title} (${severity}, confidence ${confidence})`);
    }
    case 'retracted':
      return entry(io, item.ms, 'retracted', 'bold', item.reason);
    case 'notified': {
      const { channel, kind, incident } = item;
      return item.dryRun
        ? entry(io, item.ms, 'would', 'cyan', `notify ${channel} of ${incident}: ${kind}`)
        : entry(io, item.ms, 'notified', 'cyan', `${channel} of ${incident}: ${kind}`);
    }
    case 'responded':
      return entry(io, item.ms, ...response(item));
  }
}

/** The line of a response step, by its result. */
export function response({
  action,
  state,
  verdict,
  detail,
}: Responded): [label: string, style: 'magenta' | 'red', text: string] {
  const { verb } = intents[action];
  const because = detail === null ? '' : `: ${detail}`;
  switch (state) {
    case 'done':
      return ['did', 'magenta', verb];
    case 'refused':
      if (verdict === 'dry-run') return ['would', 'magenta', verb];
      return [verdict === 'by-hand' ? 'by hand' : 'did not', 'red', `${verb}${because}`];
    case 'queued':
      return ['waits', 'magenta', `to ${verb}`];
    default:
      return ['FAILED', 'red', `to ${verb}${because}`];
  }
}

const timeWidth = 9;
/** The longest label is `retracted`. */
const labelWidth = 9;

function entry(io: Io, ms: number, label: string, style: Parameters<typeof styled>[1], text: string): string {
  const time = sinceText(ms).padStart(timeWidth);
  const begin = timeWidth + 2 + labelWidth + 2;
  const lines = wrap(plain(text), widthOf(io) - begin).replaceAll('\n', `\n${' '.repeat(begin)}`);
  return `${time}  ${styled(io, style, label.padEnd(labelWidth))}  ${lines}\n`;
}

function conclude(verdict: DrillVerdict, benign: boolean, io: Io): void {
  const width = widthOf(io);
  io.out('\n');
  for (const { rule, foundMs, notifiedMs, respondedMs } of verdict.timings) {
    const parts = [`found ${tookText(foundMs)}`];
    if (notifiedMs !== null) parts.push(`notified ${tookText(notifiedMs)}`);
    if (respondedMs !== null) parts.push(`response ${tookText(respondedMs)}`);
    io.out(`${wrap(`${rule}: ${parts.join(', ')} after its event`, width, 2)}\n`);
  }
  for (const found of verdict.alsoFound) io.out(`${wrap(`also found: ${plain(found)}`, width, 2)}\n`);
  if (verdict.faults.length === 0) {
    const text = benign ? 'Nothing was found, as it should be.' : 'Everything that was expected happened.';
    io.out(`${styled(io, 'green', text)}\n`);
    return;
  }
  for (const fault of verdict.faults) io.out(`${styled(io, 'red', '✗')} ${wrap(plain(fault), width - 2, 2)}\n`);
}
