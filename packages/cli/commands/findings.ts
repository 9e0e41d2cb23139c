import { loadConfig } from '@tripline/config/config';
import { whenToExcept } from '@tripline/contracts/exception';
import { describeTarget, verbOf } from '@tripline/contracts/response';
import type { Db } from '@tripline/db/database';
import { type FindingFilter, findFindings, listFindings, type StoredFinding } from '@tripline/incidents/findings';
import { listRemediations, type Remediation } from '@tripline/remediator/store/remediations';
import { plain } from '@tripline/runtime/plain';
import { type Command, type Io, oneOf, readArguments, UsageError, UserError } from '../command.ts';
import { lineOf, moment, severityStyles, styled, wrapped } from '../show.ts';
import { momentOf, wholeNumber } from '../since.ts';
import { withStore } from '../store.ts';

const options = {
  json: { type: 'boolean', doc: 'print one JSON object a line' },
  rule: { type: 'string', value: 'id', doc: 'only those of this rule' },
  workspace: { type: 'string', value: 'name', doc: 'only those of this workspace' },
  incident: { type: 'string', value: 'INC-n', doc: 'only those of this incident' },
  standing: { type: 'boolean', doc: 'leave out what late evidence explained' },
  excepted: { type: 'boolean', doc: 'only those that an exception of tripline.yaml covers' },
  superseded: { type: 'boolean', doc: 'only those that a finding of a narrower rule supersedes' },
  since: { type: 'string', value: 'time', doc: 'only those found since: 30m, 24h, 7d, a day or a time' },
  limit: { type: 'string', value: 'n', doc: 'at most so many; 100 when absent' },
} as const;
const verbs = ['list', 'show'] as const;

export const findings: Command = {
  name: 'findings',
  summary: 'Show what was found, newest first',
  usage: [
    'findings [list] [--json] [--rule <id>] [--workspace <name>] [--incident <INC-n>] [--standing] [--excepted] [--superseded] [--since <time>] [--limit <n>]',
    'findings show <id> [--json]',
  ],
  details: '`show` takes the first characters of an id, as many as tell it from the others.',
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 2 });
    const verb = oneOf('verb', positionals[0] ?? 'list', verbs);
    const id = positionals[1];
    if (verb === 'list' && id !== undefined) throw new UsageError('list takes no finding; see `show`');
    if (verb === 'show' && id === undefined) throw new UsageError('say which finding: `tripline findings show 3f2c`');
    const { json = false, since, limit = '100', ...filter } = values;
    const whole = {
      ...filter,
      limit: wholeNumber('--limit', limit),
      ...(since !== undefined && { since: momentOf('--since', since, Date.now()) }),
    };
    await withStore(loadConfig(io.env, io.cwd), (db) =>
      id === undefined ? list(db, io, json, whole) : show(db, io, json, id),
    );
    return 0;
  },
};

async function list(db: Db, io: Io, json: boolean, filter: FindingFilter): Promise<void> {
  const found = await listFindings(db, filter);
  if (json) for (const finding of found) io.out(`${JSON.stringify(finding)}\n`);
  else if (found.length === 0) io.out('Nothing was found.\n');
  else for (const finding of found) io.out(describe(finding, io));
}

async function show(db: Db, io: Io, json: boolean, prefix: string): Promise<void> {
  const found = await findFindings(db, prefix, 2);
  if (found.length === 0)
    throw new UserError(`there is no finding ${plain(prefix)}; \`tripline findings\` lists those that are`);
  if (found.length > 1) throw new UserError(`more than one finding begins with ${plain(prefix)}; give more of its id`);
  const finding = found[0]!;
  const steps = await listRemediations(db, { finding: finding.id });
  io.out(json ? `${JSON.stringify({ ...finding, steps })}\n` : tell(finding, steps, io));
}

/** The state, which comes first in the list. */
function stateOf(finding: StoredFinding): string {
  if (finding.retracted) return 'retracted';
  if (finding.supersededBy) return 'superseded';
  if (finding.excepted) return 'excepted';
  // A finding that still stood when its silence ended has an incident.
  if (finding.incident === null) return 'silenced';
  if (finding.lowered) return 'lowered';
  return finding.unproven ? 'unproven' : 'standing';
}

function describe(finding: StoredFinding, io: Io): string {
  const why = finding.retracted?.reason ?? finding.incident ?? finding.silencedBy ?? undefined;
  const indent = ' '.repeat('critical'.length);
  return [
    lineOf(io, [
      { text: finding.severity.padEnd(indent.length), style: severityStyles[finding.severity] },
      { text: stateOf(finding).padEnd('superseded'.length) },
      { text: finding.title, style: 'bold' },
    ]),
    lineOf(io, [
      { text: indent },
      { text: moment(finding.occurredAt) },
      { text: finding.id.slice(0, 8), style: 'dim' },
      { text: finding.rule },
      { text: finding.subject },
      { text: `confidence ${finding.confidence}` },
      { text: why },
    ]),
    ...finding.evidence.map((item) =>
      lineOf(io, [{ text: indent }, { text: `· ${moment(item.time)}` }, { text: item.what }]),
    ),
    '\n',
  ].join('');
}

function tell(finding: StoredFinding, steps: readonly Remediation[], io: Io): string {
  const lines: string[] = [];
  const heading = (text: string) => lines.push('\n', `${styled(io, 'bold', text)}\n`);
  const say = (text: string, indent = 2) => {
    lines.push(`${' '.repeat(indent)}${wrapped(io, plain(text), indent)}\n`);
  };
  lines.push(
    lineOf(io, [
      { text: finding.severity, style: severityStyles[finding.severity] },
      { text: stateOf(finding) },
      { text: finding.title, style: 'bold' },
    ]),
    '\n',
  );
  say(finding.summary);
  lines.push('\n');
  const facts: [string, string | null | undefined][] = [
    ['id', finding.id],
    ['rule', finding.rule],
    ['workspace', finding.workspace],
    ['subject', finding.subject],
    ['occasion', finding.occasion],
    ['incident', finding.incident],
    ['confidence', finding.confidence],
    ['happened', `${moment(finding.occurredAt)} UTC, by event ${finding.decidingEvent}`],
    ['decided', `${moment(finding.detectedAt)} UTC by the log’s clock, recorded ${moment(finding.recordedAt)} UTC`],
    ['retracted', finding.retracted && `${moment(finding.retracted.at)} UTC: ${finding.retracted.reason}`],
    ['superseded', finding.supersededBy && `by finding ${finding.supersededBy.slice(0, 8)}, which reports the same`],
    ['silenced', finding.silencedBy],
    [
      'excepted',
      finding.excepted &&
        `by ${finding.excepted.owner} until ${moment(finding.excepted.until)} UTC: ${finding.excepted.reason}`,
    ],
    ['lowered', finding.lowered && `${moment(finding.lowered.at)} UTC: ${finding.lowered.reason}`],
    [
      'unproven',
      finding.unproven && 'the provider’s list has not named the delivery that it rests on: nothing is done about it',
    ],
    ['ATT&CK', `${finding.attack.join(', ')} (release ${finding.attackVersion})`],
    ['OWASP', finding.owasp.join(', ')],
  ];
  for (const [name, value] of facts) if (value) lines.push(`  ${name.padEnd(11)} ${wrapped(io, plain(value), 14)}\n`);
  heading('Evidence');
  for (const item of finding.evidence) {
    say(`${moment(item.time)}  ${item.what}`);
    for (const more of [item.url, `event ${item.eventId} (${item.eventType})`]) if (more !== undefined) say(more, 4);
  }
  heading('People and things concerned');
  for (const { kind, id, key } of finding.entities)
    say(`${kind.padEnd(11)} ${id}${key === undefined ? '' : ` (${key})`}`);
  if (finding.response.length > 0) heading('Response');
  for (const [ordinal, step] of finding.response.entries()) {
    const done = steps.find((one) => one.ordinal === ordinal);
    say(`${verbOf(step)}: ${describeTarget(step)}`);
    say(done === undefined ? 'not planned' : outcomeOf(done), 4);
  }
  if (finding.remedy.length > 0) heading('What to do');
  for (const sentence of finding.remedy) say(`→ ${sentence}`);
  heading('To silence exactly this, now or in tripline.yaml');
  lines.push(`  ${plain(silenceCommand(finding))}\n\n`);
  for (const line of finding.silence.trimEnd().split('\n')) lines.push(`  ${plain(line)}\n`);
  const exception = exceptionText(finding);
  if (exception !== undefined) {
    heading('To except it and its like, where they are in order, in tripline.yaml');
    for (const line of exception) lines.push(`  ${plain(line)}\n`);
  }
  return lines.join('');
}

/** Ready to paste, for 90 days. */
function exceptionText(finding: StoredFinding): string[] | undefined {
  const when = whenToExcept(finding);
  if (when === undefined) return undefined;
  const until = new Date(Date.parse(finding.detectedAt) + 90 * 86_400_000).toISOString();
  return [
    'exceptions:',
    `  - rules: [${finding.rule}]`,
    '    when:',
    ...Object.entries(when).map(([matcher, names]) => `      ${matcher}: ${JSON.stringify(names)}`),
    `    workspace: ${JSON.stringify(finding.workspace)}`,
    '    owner: say here who answers for it',
    '    reason: say here why this is in order',
    `    until: ${until}`,
  ];
}

/** Ready to paste. A name may begin with a hyphen, so each is joined to its option by `=`. */
function silenceCommand({ rule, subject, workspace, severity }: StoredFinding): string {
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const critical = severity === 'critical' ? ' --critical' : '';
  const scope = `--rule=${rule} --subject=${quoted(subject)} --workspace=${quoted(workspace)}${critical}`;
  return `npx tripline silence add ${scope} --for=30d --reason='say here why this is in order'`;
}

function outcomeOf({ state, mode, verdict, reason, detail, check, settledAt, actedAt }: Remediation): string {
  const at = settledAt ?? actedAt;
  const refused = verdict === 'dry-run' ? 'only shown, in a dry run' : `refused: ${verdict}`;
  const parts = [
    state === 'refused' ? refused : mode === 'dry-run' ? `${state}, in a dry run` : state,
    state === 'queued' && verdict !== null ? verdict : undefined,
    at === null ? undefined : `${moment(at)} UTC`,
    reason === null || reason === verdict ? undefined : reason,
    detail ?? undefined,
    check === null ? undefined : `asked afterwards: ${check.result}, ${check.detail}`,
  ];
  return parts.filter((part) => part !== undefined).join('; ');
}
