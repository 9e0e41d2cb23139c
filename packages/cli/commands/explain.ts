import { loadConfig } from '@tripline/config/config';
import { loadRuleSet } from '@tripline/detector/load-rules';
import { rules as known } from '@tripline/rules/registry';
import { noRule } from '@tripline/rules/retired';
import { plain } from '@tripline/runtime/plain';
import { type Command, type Io, readArguments, UsageError } from '../command.ts';
import { eventIdOf } from '../event-id.ts';
import { type Explanation, explain as explainEvent, type Outcome, shortType } from '../explain/explain.ts';
import type { Looked, Step } from '../explain/trace.ts';
import { lineOf, moment, severityStyles, styled, wrapped } from '../show.ts';
import { momentOf } from '../since.ts';
import { withStore } from '../store.ts';

const options = {
  from: {
    type: 'string',
    value: 'time',
    doc: 'from when on to judge what happened before it: 24h, 30d, a day or a time; 30d when absent',
  },
  json: { type: 'boolean', doc: 'print it as one JSON object, with all that the rule looked at' },
} as const;

/** Most characters of a value that are shown: the rest is in `--json`. */
const shownOfValue = 400;

export const explain: Command = {
  name: 'explain',
  summary: 'Say why a rule did or did not find something in an event',
  usage: ['explain <rule> <delivery or event> [--from <time>] [--json]'],
  details:
    'Judges anew, from the audit trail, what happened in the event’s workspace up to it: nothing is recorded, told or revoked. ' +
    'Says whether the rule reads such an event, what it looked at, what of that is not known, and what became of what it found: told, silenced, excepted, superseded or retracted. ' +
    '`tripline events` shows ids of events; a delivery of GitHub’s may be named by its `X-GitHub-Delivery`. Exit status 0 where something was found, 1 where nothing was.',
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 2 });
    const [rule, named] = positionals;
    if (rule === undefined || named === undefined)
      throw new UsageError('say the rule and the event: `tripline explain release-tag-moved github:72d3…`');
    const config = loadConfig(io.env, io.cwd);
    const set = await loadRuleSet(config);
    if (![...known, ...set.rules.map((one) => one.rule)].some(({ id }) => id === rule))
      throw new UsageError(noRule(rule));
    const from = momentOf('--from', values.from ?? '30d', Date.now());
    const event = eventIdOf(named);
    const explanation = await withStore(config, (db) => explainEvent({ db, config, set }, { rule, event, from }));
    io.out(values.json ? `${JSON.stringify(explanation)}\n` : describe(rule, explanation, io));
    return explanation.verdict.kind === 'found' ? 0 : 1;
  },
};

function describe(rule: string, { event, verdict, steps, remarks }: Explanation, io: Io): string {
  const lines: string[] = [];
  if (event !== null) {
    const place = event.data['vcs.repository.name'] ?? event.workspace;
    lines.push(
      lineOf(io, [
        { text: moment(event.time) },
        { text: shortType(event.type), style: 'bold' },
        { text: event.data['user.name'] },
        { text: place },
        { text: event.id, style: 'dim' },
      ]),
    );
  }
  const says = verdict.kind === 'found' ? 'found something' : `found nothing (${verdict.kind})`;
  lines.push(`${styled(io, 'bold', rule)} ${says}: ${wrapped(io, plain(verdict.why), 2)}\n`);
  if (verdict.kind === 'found') lines.push(...verdict.findings.map((finding) => outcomeLines(finding, io)));
  lines.push(...remarks.map((remark) => `  ${wrapped(io, plain(remark), 2)}\n`));
  lines.push(...steps.flatMap((step) => stepLines(step, io)));
  return lines.join('');
}

function outcomeLines({ id, title, severity, recorded, today, ...held }: Outcome, io: Io): string {
  const stands = recorded === null ? 'not recorded' : (recorded.incident ?? 'no incident');
  const line = lineOf(io, [
    { text: `  ${id.slice(0, 12)}`, style: 'dim' },
    { text: severity, style: severityStyles[severity as keyof typeof severityStyles] },
    { text: title },
  ]);
  const more = [`${inWords(held)} (${stands})`, ...(today === null ? [] : [`by today’s settings: ${inWords(today)}`])];
  return line + more.map((text) => `    ${wrapped(io, plain(text), 4)}\n`).join('');
}

const inWords = ({ heldBy, why }: Pick<Outcome, 'heldBy' | 'why'>): string =>
  heldBy === null ? 'told' : `${heldBy}${why === null ? '' : `: ${why}`}`;

function stepLines({ subject, looked, waits }: Step, io: Io): string[] {
  const about = subject === null ? 'It judged the event itself' : `It concluded of ${plain(subject)}`;
  const [known, unknown] = [looked.filter(({ value }) => value !== null), looked.filter(({ value }) => value === null)];
  return [
    `  ${about}${looked.length === 0 ? ', and looked at nothing else' : ', and looked at'}\n`,
    ...known.map((one) => `    ${nameOf(one)}  ${styled(io, 'dim', clipped(JSON.stringify(one.value)))}\n`),
    ...unknown.map((one) => `    ${nameOf(one)}  ${styled(io, 'yellow', 'nothing is known')}\n`),
    ...waits.map(({ dueMs }) => `    It looks again at ${moment(new Date(dueMs))} of the log’s time\n`),
  ];
}
const nameOf = ({ fact, key }: Looked) => plain(`${fact ?? 'its state'} ${key}`);
const clipped = (text: string) => plain(text.length > shownOfValue ? `${text.slice(0, shownOfValue)}…` : text);
