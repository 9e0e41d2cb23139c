import { loadConfig } from '@tripline/config/config';
import { describeScope, faultOfScope, type SilenceScope, silenceMatchers } from '@tripline/contracts/silence';
import type { Db } from '@tripline/db/database';
import {
  addSilence,
  expireSilence,
  listSilences,
  previewSilence,
  SilenceError,
  type StoredSilence,
} from '@tripline/incidents/silences';
import { plain } from '@tripline/runtime/plain';
import { whoRuns } from '../actor.ts';
import { type Command, type Io, oneOf, readArguments, UsageError, UserError } from '../command.ts';
import { moment, severity, styled } from '../show.ts';
import { withStore } from '../store.ts';

const options = {
  json: { type: 'boolean', doc: 'print one JSON object a line' },
  rule: { type: 'string', value: 'id', doc: 'findings of this rule' },
  subject: { type: 'string', value: 'text', doc: 'with this subject' },
  actor: { type: 'string', value: 'login', doc: 'in which this person acted' },
  repository: { type: 'string', value: 'owner/name', doc: 'about this repository alone' },
  runner: { type: 'string', value: 'id', doc: 'about this runner alone' },
  environment: { type: 'string', value: 'name', doc: 'about this deployment environment alone' },
  workspace: { type: 'string', value: 'name', doc: 'in this workspace; in all when absent' },
  critical: { type: 'boolean', doc: 'critical ones too' },
  for: { type: 'string', value: 'time', doc: 'how long, such as 12h or 7d; 30d at most' },
  until: { type: 'string', value: 'time', doc: 'until when, RFC 3339, instead of --for' },
  reason: { type: 'string', value: 'text', doc: 'why' },
  owner: { type: 'string', value: 'name', doc: 'who answers for it; your own user name when absent' },
  all: { type: 'boolean', doc: 'for list: those that have ended too' },
  days: { type: 'string', value: 'n', doc: 'for preview: findings of the last n days; 7 when absent' },
} as const;
const verbs = ['add', 'list', 'expire', 'preview'] as const;
const dayMs = 24 * 3_600_000;

export const silence: Command = {
  name: 'silence',
  summary: 'Keep findings from being reported for a time, with an owner and a reason; see which, and end it',
  usage: [
    'silence add [--rule <id>] [--subject <text>] [--actor <login>] [--repository <owner/name>] [--runner <id>] ' +
      '[--environment <name>] [--workspace <name>] (--for <time> | --until <time>) --reason <text> [--owner <name>] [--critical]',
    'silence [list] [--all] [--json]',
    'silence expire <SIL-n> [--reason <text>]',
    'silence preview [--rule <id>] [--actor <login>] … [--critical] [--days <n>] [--json]',
  ],
  details:
    'Every matcher that is given must fit, whole, or by its beginning where it ends in *. Findings stay recorded. Findings that still stand at the end are reported as one incident.',
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 2 });
    const verb = oneOf('verb', positionals[0] ?? 'list', verbs);
    const id = positionals[1];
    if (verb !== 'expire' && id !== undefined) throw new UsageError(`'${plain(id)}' is one word too many`);
    const json = values.json ?? false;
    const scope = scopeOf(values);
    const asked = verb === 'add' ? askedOf(scope, values) : undefined;
    if (verb === 'preview') checkScope(scope);
    const days = wholeDays(values.days ?? '7');
    await withStore(loadConfig(io.env, io.cwd), async (db) => {
      try {
        if (asked) show(io, json, [await addSilence(db, asked, whoRuns())]);
        else if (verb === 'list') list(io, json, await listSilences(db, { all: values.all ?? false }));
        else if (verb === 'preview') await preview(db, io, json, scope, days);
        else await expire(db, io, json, id, values.reason);
      } catch (error) {
        if (error instanceof SilenceError) throw new UserError(error.message);
        throw error;
      }
    });
    return 0;
  },
};

type Values = Partial<Record<'for' | 'until' | 'reason' | 'owner', string>>;

function askedOf(scope: SilenceScope, { for: span, until, reason, owner }: Values) {
  checkScope(scope);
  if (!reason?.trim()) throw new UsageError('say why: --reason <text>');
  if ((span === undefined) === (until === undefined))
    throw new UsageError('say how long: --for <time>, or --until <time>');
  const end = span === undefined ? new Date(Date.parse(until!)) : { ms: duration(span) };
  if (end instanceof Date && Number.isNaN(end.getTime()))
    throw new UsageError('--until must be a time, such as 2026-03-02T12:00:00Z');
  return { ...scope, until: end, reason, owner: owner ?? whoRuns().name };
}

function checkScope(scope: SilenceScope): void {
  const fault = faultOfScope(scope);
  if (fault !== undefined) throw new UsageError(fault);
}

function scopeOf(
  values: Partial<Record<(typeof silenceMatchers)[number] | 'workspace', string>> & { critical?: boolean },
): SilenceScope {
  const scope: SilenceScope = { critical: values.critical ?? false };
  for (const name of [...silenceMatchers, 'workspace'] as const) {
    if (values[name] === '') throw new UsageError(`--${name} is empty`);
    if (values[name] !== undefined) scope[name] = values[name];
  }
  return scope;
}

async function expire(
  db: Db,
  io: Io,
  json: boolean,
  id: string | undefined,
  reason: string | undefined,
): Promise<void> {
  if (id === undefined) throw new UsageError('say which silence: `tripline silence expire SIL-1`');
  const { changed, silence: ended } = await expireSilence(db, id, whoRuns(), reason);
  if (!json && !changed) io.out('No change: it has ended already.\n');
  show(io, json, [ended]);
}

function list(io: Io, json: boolean, silences: readonly StoredSilence[]): void {
  if (!json && silences.length === 0) io.out('There is no silence here; those of tripline.yaml are not listed.\n');
  show(io, json, silences);
}

async function preview(db: Db, io: Io, json: boolean, scope: SilenceScope, days: number): Promise<void> {
  const found = await previewSilence(db, scope, new Date(Date.now() - days * dayMs));
  if (json) for (const finding of found) io.out(`${JSON.stringify(finding)}\n`);
  else {
    for (const { severity: of, recordedAt, rule, title } of found)
      io.out(`${severity(io, of)}  ${moment(recordedAt)}  ${rule}  ${plain(title)}\n`);
    const count = found.length === 1 ? '1 finding' : `${found.length} findings`;
    io.out(`It would have kept ${count} of the last ${days} ${days === 1 ? 'day' : 'days'} from being reported.\n`);
  }
}

function show(io: Io, json: boolean, silences: readonly StoredSilence[]): void {
  for (const one of silences) {
    if (json) io.out(`${JSON.stringify(one)}\n`);
    else {
      const end = one.expired
        ? `ended ${moment(one.expired.at)} by ${plain(one.expired.by.name)}`
        : `until ${moment(one.until)}`;
      io.out(
        `${one.id.padEnd(8)} ${end} UTC  ${styled(io, 'bold', plain(describeScope(one)))}  ${plain(one.owner)}: ${plain(one.reason)}\n`,
      );
    }
  }
}

/** Minutes, hours or days, in ms. */
function duration(text: string): number {
  const [, count, unit] = /^(\d{1,4})([mhd])$/.exec(text) ?? [];
  const ms = Number(count) * (unit === 'd' ? dayMs : unit === 'h' ? 3_600_000 : 60_000);
  if (!(ms > 0)) throw new UsageError('--for must be minutes, hours or days, such as 30m, 12h or 7d');
  return ms;
}

function wholeDays(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new UsageError('--days must be a whole number above 0');
  return Number(text);
}
