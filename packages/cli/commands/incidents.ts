import { loadConfig } from '@tripline/config/config';
import { incidentStates, resolutions } from '@tripline/contracts/incident';
import type { Db } from '@tripline/db/database';
import {
  acknowledge,
  type Incident,
  type IncidentDetails,
  type IncidentFilter,
  listIncidents,
  readIncident,
  reopen,
  resolve,
  type Transition,
} from '@tripline/incidents/incidents';
import { plain } from '@tripline/runtime/plain';
import { whoRuns } from '../actor.ts';
import { type Command, type Io, oneOf, readArguments, UsageError, UserError } from '../command.ts';
import { lineOf, moment, severity, severityStyles } from '../show.ts';
import { momentOf } from '../since.ts';
import { withStore } from '../store.ts';

const options = {
  json: { type: 'boolean', doc: 'print one JSON object a line' },
  state: { type: 'string', value: 'state', doc: `for list: only those that are ${incidentStates.join(', ')}` },
  since: {
    type: 'string',
    value: 'time',
    doc: 'for list: only those that changed since: 30m, 24h, 7d, a day or a time',
  },
  as: {
    type: 'string',
    value: 'how',
    doc: `for resolve: ${resolutions.join(', ')} (it was an attack, it was wrong, it is allowed)`,
  },
  reason: {
    type: 'string',
    value: 'text',
    doc: 'why, for those who ask later; needed for resolve --as false|accepted',
  },
} as const;
const verbs = ['list', 'show', 'ack', 'resolve', 'reopen'] as const;

export const incidents: Command = {
  name: 'incidents',
  summary: 'List incidents, last changed first; acknowledge, resolve or reopen one, in Slack and PagerDuty too',
  usage: [
    'incidents [list] [--state <state>] [--since <time>] [--json]',
    'incidents show <INC-n> [--json]',
    'incidents ack <INC-n> [--reason <text>]',
    'incidents resolve <INC-n> --as true|false|accepted [--reason <text>]',
    'incidents reopen <INC-n> [--reason <text>]',
  ],
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 2 });
    const verb = oneOf('verb', positionals[0] ?? 'list', verbs);
    const json = values.json ?? false;
    const config = loadConfig(io.env, io.cwd);
    if (verb === 'list') {
      if (positionals[1] !== undefined) throw new UsageError('list takes no incident; see `show`');
      const state = values.state === undefined ? undefined : oneOf('state', values.state, incidentStates);
      const since = values.since === undefined ? undefined : momentOf('--since', values.since, Date.now());
      const filter = { ...(state !== undefined && { state }), ...(since !== undefined && { since }) };
      await withStore(config, (db) => list(db, io, json, filter));
      return 0;
    }
    const id = positionals[1];
    if (id === undefined) throw new UsageError(`say which incident: \`tripline incidents ${verb} INC-1\``);
    await withStore(config, async (db) => {
      if (verb === 'show') return show(db, io, json, id);
      return change(db, io, { json, id, verb, as: values.as, reason: values.reason });
    });
    return 0;
  },
};

async function list(db: Db, io: Io, json: boolean, filter: IncidentFilter): Promise<void> {
  const found = await listIncidents(db, filter);
  if (json) for (const incident of found) io.out(`${JSON.stringify(incident)}\n`);
  else if (found.length === 0) io.out('There is no incident.\n');
  else for (const incident of found) io.out(line(incident, io));
}

async function show(db: Db, io: Io, json: boolean, id: string): Promise<void> {
  const details = await readIncident(db, id);
  if (!details) throw new UserError(`there is no incident ${plain(id)}`);
  io.out(json ? `${JSON.stringify(details)}\n` : tell(details, io));
}

type Asked = { json: boolean; id: string; verb: 'ack' | 'resolve' | 'reopen' } & Record<
  'as' | 'reason',
  string | undefined
>;

async function change(db: Db, io: Io, { json, id, verb, as, reason }: Asked): Promise<void> {
  let done: Transition;
  if (verb === 'ack') done = await acknowledge(db, id, whoRuns(), reason);
  else if (verb === 'reopen') done = await reopen(db, id, whoRuns(), reason);
  else {
    const resolution = oneOf('way to resolve (--as)', as, resolutions);
    if (resolution !== 'true' && !reason?.trim()) {
      throw new UsageError(`say why it is ${resolution === 'false' ? 'wrong' : 'allowed'}: --reason <text>`);
    }
    done = await resolve(db, id, resolution, whoRuns(), reason);
  }
  if (json) io.out(`${JSON.stringify(done)}\n`);
  else io.out(`${done.changed ? '' : 'No change: '}${line(done.incident, io)}`);
}

function line(incident: Incident, io: Io): string {
  const { id, state, title, openedAt, workspace } = incident;
  const who = incident.resolved ?? incident.acknowledged;
  const by = who && state !== 'open' ? ` by ${who.by.name} (${who.by.via})` : '';
  const how = incident.resolved ? ` as ${incident.resolved.resolution}` : '';
  return lineOf(io, [
    { text: id.padEnd(8) },
    { text: incident.severity.padEnd('critical'.length), style: severityStyles[incident.severity] },
    { text: moment(openedAt) },
    { text: `${state}${how}${by}` },
    { text: title, style: 'bold' },
    { text: workspace },
  ]);
}

function tell(details: IncidentDetails, io: Io): string {
  const findings = details.findings.flatMap((finding) => [
    `  ${severity(io, finding.severity)}  ${finding.rule}  ${plain(finding.title)}`,
    ...finding.evidence.map(
      (item) => `      · ${moment(item.time)}  ${plain(item.what)}${item.url ? `  ${plain(item.url)}` : ''}`,
    ),
    ...finding.remedy.map((item) => `      → ${plain(item)}`),
  ]);
  const events = details.events.map(
    (event) => `  ${moment(event.at)}  ${event.kind.padEnd(12)}  ${plain(event.actor.name)}${moreOf(event.detail)}`,
  );
  return `${line(details, io)}\n${[...findings, '', ...events].join('\n')}\n`;
}

/** What a line of the history has to say beside its kind: what was done, where it was told, why it was taken back. */
function moreOf({ text, sink, mode, resolution, reason }: Record<string, unknown>): string {
  const said = text ?? (sink === undefined ? reason : `${sink}${mode === 'dry-run' ? ' (dry run)' : ''}`);
  return [resolution, said].map((part) => (typeof part === 'string' ? `  ${plain(part)}` : '')).join('');
}
