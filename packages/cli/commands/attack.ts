import { loadConfig } from '@tripline/config/config';
import { intents } from '@tripline/contracts/response';
import type { Db } from '@tripline/db/database';
import { listIncidents, resolve } from '@tripline/incidents/incidents';
import { plain } from '@tripline/runtime/plain';
import type { Scenario } from '@tripline/scenarios/scenario';
import { whoRuns } from '../actor.ts';
import { createLook } from '../attack/look.ts';
import { castFor, type DrillVerdict, play, type Report } from '../attack/play.ts';
import type { Responded } from '../attack/seen.ts';
import { type Command, type Io, oneOf, readArguments } from '../command.ts';
import { sinceText, styled, widthOf, wrap } from '../show.ts';
import { withStore } from '../store.ts';
import { drillKeyOf, receiverUrl } from '../target.ts';

const options = {
  benign: { type: 'boolean', doc: 'play the honest twin, on which nothing may fire' },
  json: { type: 'boolean', doc: 'print one JSON object a line' },
  url: { type: 'string', value: 'url', doc: "the receiver's address, when it does not run here" },
} as const;

export const attack: Command = {
  name: 'attack',
  summary: 'Play a breach against the running Tripline and show what it makes of it',
  usage: ['attack', 'attack <scenario> [--benign] [--json] [--url <url>]'],
  details: [
    'Signed deliveries go over HTTP, in a workspace of their own. Shown is what was sent, found and notified, and what would',
    'have been done, since nothing is ever done for a drill; times count from the start. In the end the incidents of the',
    'drill are resolved as accepted. Exit status 0 only when all that the scenario expects happened; what else was found is',
    'listed. On the honest twin nothing may be found at all. Without a scenario, their names are listed.',
  ].join('\n'),
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 1 });
    const { scenarios } = await import('@tripline/scenarios/registry');
    if (positionals[0] === undefined) {
      for (const { id, title } of scenarios) io.out(`${id.padEnd(34)}${title}\n`);
      return 0;
    }
    const ids = scenarios.map((scenario) => scenario.id);
    const id = oneOf('scenario', positionals[0], ids);
    const scenario = scenarios.find((candidate) => candidate.id === id)!;
    const benign = values.benign ?? false;
    const json = values.json ?? false;
    const config = loadConfig(io.env, io.cwd);
    const receiver = { url: receiverUrl(config, values.url), secret: drillKeyOf(config) };
    const cast = castFor(scenario, Date.now());
    const verdict = await withStore(config, async (db) => {
      const client = await db.pool.connect();
      try {
        if (!json) introduce(scenario, benign, cast.organization, io);
        return await play({
          ...{ scenario, benign, receiver, cast },
          skewMs: config.kafka.brokers ? config.kafka.clockSkewMs : 0,
          look: createLook(client, cast.organization),
          report: (item) => io.out(json ? `${JSON.stringify(withoutClock(item))}\n` : describe(item, io)),
        });
      } finally {
        client.release();
        await closeDrill(db, cast.organization, scenario.id);
      }
    });
    if (json) io.out(`${JSON.stringify({ what: 'verdict', ok: verdict.faults.length === 0, ...verdict })}\n`);
    else conclude(verdict, benign, io);
    return verdict.faults.length === 0 ? 0 : 1;
  },
};

/** `atMs` is on this process's monotonic clock, meaningless to others. */
function withoutClock(item: Report): Record<string, unknown> {
  const { atMs: _, ...rest } = item as Report & { atMs?: number };
  return rest;
}

/** A drill leaves nothing open: its incidents are resolved, in the name of whoever ran it. */
async function closeDrill(db: Db, workspace: string, scenario: string): Promise<void> {
  for (const { id, state } of await listIncidents(db, { workspace })) {
    if (state !== 'resolved') await resolve(db, id, 'accepted', whoRuns(), `A drill: tripline attack ${scenario}`);
  }
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

/** `34 ms`, `1.2 s`: how long something took, and no time of a clock. */
const tookText = (ms: number): string => sinceText(ms).replace(/^\+/, '');
