import { loadConfig } from '@tripline/runtime/config';
import { plain } from '@tripline/runtime/plain';
import type { Scenario } from '@tripline/scenarios/contract';
import { createLook } from '../attack/look.ts';
import { castFor, play, type Report, type Verdict } from '../attack/play.ts';
import { type Command, type Io, oneOf, readArguments } from '../command.ts';
import { sinceText, styled } from '../show.ts';
import { withStore } from '../store.ts';
import { findReceiver } from '../target.ts';

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
    'Signed deliveries go over HTTP, in a workspace of their own. Shown is what was sent, found, told and revoked, with',
    'its time after the event that decides. Exit status 0 only when what the scenario expects came true, and nothing else.',
    'Without a scenario, their names are listed.',
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
    const receiver = findReceiver(config, values.url);
    const verdict = await withStore(config, async ({ pool }) => {
      const client = await pool.connect();
      try {
        const cast = castFor(scenario, Date.now());
        if (!json) introduce(scenario, benign, cast.organization, io);
        return await play({
          ...{ scenario, benign, receiver, cast },
          skewMs: config.kafka.brokers ? config.kafka.clockSkewMs : 0,
          look: createLook(client, cast.organization),
          report: (item) => io.out(json ? `${JSON.stringify(withoutClock(item))}\n` : describe(item, io)),
        });
      } finally {
        client.release();
      }
    });
    if (json) io.out(`${JSON.stringify({ what: 'verdict', ok: verdict.faults.length === 0, ...verdict })}\n`);
    else conclude(verdict, benign, io);
    return verdict.faults.length === 0 ? 0 : 1;
  },
};

/** `atMs` is of this process's own clock, and means nothing to others. */
function withoutClock(item: Report): Record<string, unknown> {
  const { atMs: _, ...rest } = item as Report & { atMs?: number };
  return rest;
}

function introduce(scenario: Scenario, benign: boolean, organization: string, io: Io): void {
  io.out(`${styled(io, 'bold', scenario.title)}${benign ? ': the honest twin' : ''}\n`);
  io.out(
    `${benign ? 'The same people doing the honest version of the same work: nothing may fire.' : scenario.story}\n`,
  );
  io.out(styled(io, 'dim', `Workspace ${organization}; times count from the deciding event.\n\n`));
}

function describe(item: Report, io: Io): string {
  const time = sinceText(item.ms).padStart(9);
  switch (item.what) {
    case 'sent':
      return `${time}  ${styled(io, 'dim', 'sent')}     ${plain(item.says)} ${styled(io, 'dim', `(${item.event})`)}\n`;
    case 'found':
      return `${time}  ${styled(io, ['bold', 'red'], 'FOUND')}    ${item.rule}: ${plain(item.title)} (${item.severity}, confidence ${item.confidence})\n`;
    case 'withdrawn':
      return `${time}  withdrew ${plain(item.reason)}\n`;
    case 'told':
      return `${time}  ${styled(io, 'cyan', 'told')}     ${item.sink}: ${item.kind} ${item.incident}${item.dryRun ? ' (dry run)' : ''}\n`;
    case 'revoked': {
      const did = item.state === 'refused' ? `${item.action} (${item.verdict})` : `${item.action}: ${item.state}`;
      return `${time}  ${styled(io, 'magenta', 'revoked')}  ${did}\n`;
    }
  }
}

function conclude(verdict: Verdict, benign: boolean, io: Io): void {
  io.out('\n');
  for (const { rule, foundMs, toldMs, revokedMs } of verdict.timings) {
    const parts = [`found ${sinceText(foundMs)}`];
    if (toldMs !== null) parts.push(`told ${sinceText(toldMs)}`);
    if (revokedMs !== null) parts.push(`revoked ${sinceText(revokedMs)}`);
    io.out(`${rule}: ${parts.join(', ')}\n`);
  }
  if (verdict.faults.length === 0) {
    const text = benign ? 'Nothing fired, as it should be.' : 'All came true that was expected, and nothing else.';
    io.out(`${styled(io, 'green', text)}\n`);
    return;
  }
  for (const fault of verdict.faults) io.out(`${styled(io, 'red', '✗')} ${plain(fault)}\n`);
}
