import { listFindings, type StoredFinding } from '@tripline/db/findings';
import { loadConfig } from '@tripline/runtime/config';
import { plain } from '@tripline/runtime/plain';
import { type Command, type Io, readArguments, UsageError } from '../command.ts';
import { moment, severity, styled } from '../show.ts';
import { withStore } from '../store.ts';

const options = {
  json: { type: 'boolean', doc: 'print one JSON object a line' },
  rule: { type: 'string', value: 'id', doc: 'only those of this rule' },
  workspace: { type: 'string', value: 'name', doc: 'only those of this workspace' },
  incident: { type: 'string', value: 'INC-n', doc: 'only those of this incident' },
  standing: { type: 'boolean', doc: 'leave out what late evidence explained' },
  limit: { type: 'string', value: 'n', doc: 'at most so many; 100 when absent' },
} as const;

export const findings: Command = {
  name: 'findings',
  summary: 'Show what was found, newest first',
  usage: ['findings [--json] [--rule <id>] [--workspace <name>] [--incident <INC-n>] [--standing] [--limit <n>]'],
  options,
  async run(args, io) {
    const { values } = readArguments(args, options, { atMost: 0 });
    const { json = false, ...filter } = values;
    const limit = wholeNumber('--limit', values.limit ?? '100');
    const found = await withStore(loadConfig(io.env, io.cwd), (db) => listFindings(db, { ...filter, limit }));
    if (json) for (const finding of found) io.out(`${JSON.stringify(finding)}\n`);
    else if (found.length === 0) io.out('Nothing was found.\n');
    else for (const finding of found) io.out(describe(finding, io));
    return 0;
  },
};

function describe(finding: StoredFinding, io: Io): string {
  const became = finding.withdrawn
    ? `withdrawn: ${finding.withdrawn.reason}`
    : finding.silencedBy !== null
      ? `silenced: ${finding.silencedBy}`
      : (finding.incident ?? '');
  return [
    `${severity(io, finding.severity)}  ${styled(io, 'bold', plain(finding.title))}`,
    `          ${moment(finding.occurredAt)}  ${finding.rule}  ${plain(finding.subject)}  confidence ${finding.confidence}  ${plain(became)}`,
    ...finding.evidence.map((item) => `          · ${moment(item.time)}  ${plain(item.what)}`),
    '',
    '',
  ].join('\n');
}

function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new UsageError(`${name} must be a whole number above 0`);
  return Number(text);
}
