import { resolve } from 'node:path';
import { loadConfig } from '@tripline/config/config';
import { configFor, judged } from '../capture/judged.ts';
import { type Command, type Io, readArguments, UsageError, UserError } from '../command.ts';
import {
  type HeldBy,
  measure,
  type Outcome,
  type Replayed,
  replayedOf,
  replay as replayTrail,
  rulesToPlay,
  setsFor,
} from '../replay/replay.ts';
import { readFixture } from '../rules/test-rules.ts';
import { lineOf, moment, severityStyles } from '../show.ts';
import { momentOf } from '../since.ts';
import { withStore } from '../store.ts';

const options = {
  from: {
    type: 'string',
    value: 'time',
    doc: 'where to begin: 30m, 24h, 7d ago, a day or a time; 7d when absent',
  },
  to: { type: 'string', value: 'time', doc: 'where to end, likewise; now when absent' },
  rule: { type: 'string', value: 'id', multiple: true, doc: 'judge by this rule alone; may be given several times' },
  'rules-file': {
    type: 'string',
    value: 'file',
    multiple: true,
    doc: 'a file or folder of rules, Sigma rules (.yml) too, beside those in force; may be given several times',
  },
  'exceptions-file': {
    type: 'string',
    value: 'file',
    doc: 'YAML with exceptions, overrides and silences, beside those in force',
  },
  captured: { type: 'string', value: 'file', doc: 'a fixture of `tripline capture` to judge instead of the trail' },
  compare: { type: 'boolean', doc: 'also judge without these files, and show what they change' },
  json: { type: 'boolean', doc: 'print one JSON object a line: the counts first, then each finding' },
} as const;

export const replay: Command = {
  name: 'replay',
  summary: 'Judge what the audit trail kept anew, to try out a rule, an exception or an override',
  usage: [
    'replay [--from <time>] [--to <time>] [--rule <id> …] [--json]',
    'replay [--from <time>] [--to <time>] [--rules-file <file> …] [--exceptions-file <file>] [--compare] [--json]',
    'replay --captured <file> [--rule <id> …] [--rules-file <file> …] [--exceptions-file <file>] [--compare] [--json]',
  ],
  details:
    'Nothing is recorded, told, looked up or revoked. Of what happened before `--from` nothing is known: rules that learn begin anew, and what no record says is unknown. ' +
    'With `--rules-file` and without `--compare` only the rules of these files judge. ' +
    'With `--compare`, each line begins with what the files change: `+` would be found as well, `-` no longer, `~` be told to others or otherwise.',
  options,
  async run(args, io) {
    const { values } = readArguments(args, options, { atMost: 0 });
    const { rule: given = [], 'rules-file': rulesFiles = [], 'exceptions-file': exceptionsFile, json = false } = values;
    const isCompared = values.compare ?? false;
    const nowMs = Date.now();
    const from = momentOf('--from', values.from ?? '7d', nowMs);
    const to = values.to === undefined ? new Date(nowMs) : momentOf('--to', values.to, nowMs);
    if (from >= to) throw new UsageError('--from must be before --to');
    if (isCompared && rulesFiles.length === 0 && exceptionsFile === undefined)
      throw new UsageError(
        '--compare needs --rules-file or --exceptions-file: what is to be compared with what is in force',
      );
    const fixture =
      values.captured === undefined ? undefined : readFixture(resolve(io.cwd, values.captured), values.captured);
    if (fixture !== undefined && (values.from ?? values.to) !== undefined)
      throw new UsageError('--captured names what is judged: --from and --to are for the trail');
    const loaded = loadConfig(io.env, io.cwd);
    const config = fixture === undefined ? loaded : configFor(loaded, fixture);
    const change = { rulesFiles, exceptionsFile };
    const { own, refused, ...sets } = await setsFor(config, { change, isCompared, cwd: io.cwd });
    for (const line of refused) io.err(`${line}\n`);
    const set = sets.with;
    if (rulesFiles.length > 0 && own.size === 0) throw new UserError('--rules-file: no rule of these files can be run');
    for (const id of given) {
      if (!set.rules.some(({ rule }) => rule.id === id))
        throw new UsageError(`--rule: there is no rule ${id} in force; \`tripline rules\` lists them`);
    }
    const only = given.length > 0 || isCompared ? given : [...own];
    const report = (replayed: Replayed) => reported(io, replayed, only, { isCompared, json });
    if (fixture !== undefined) {
      const rules = only.length > 0 ? only : (fixture.head.rules ?? []);
      const [first = fixture.head.untilMs] = fixture.events.map(({ atMs }) => atMs);
      const span = { from: new Date(first), to: new Date(fixture.head.untilMs) };
      const what = { events: fixture.events.length, partitions: 1, ...span, rules: rules.length || set.rules.length };
      io.out(json ? `${JSON.stringify(what)}\n` : begun(what));
      return report(replayedOf([await judged(rulesToPlay(sets, rules), fixture)], sets));
    }
    return withStore(config, async (db, url) => {
      const partitions = await measure(db, { from, to });
      const records = partitions.reduce((sum, one) => sum + one.records, 0);
      const what = { events: records, partitions: partitions.length, from, to, rules: only.length || set.rules.length };
      io.out(json ? `${JSON.stringify(what)}\n` : begun(what));
      const progress = progressOf(io, records);
      const asked = { env: io.env, cwd: io.cwd, url, from, to, change, isCompared, only };
      const replayed = await replayTrail({ db, config, sets }, asked, partitions, progress.say);
      progress.end();
      return report(replayed);
    });
  },
};

function reported(
  io: Io,
  replayed: Replayed,
  only: readonly string[],
  { isCompared, json }: { isCompared: boolean; json: boolean },
): number {
  const isShown = ({ finding }: Outcome) => only.length === 0 || only.includes(finding.rule);
  const shown = isCompared ? changesOf(replayed, isShown) : replayed.outcomes.filter(isShown).map(unchanged);
  for (const one of shown)
    io.out(json ? `${JSON.stringify(inJson(one, isCompared))}\n` : describe(io, one, isCompared));
  for (const { rule, reason } of replayed.faults) io.err(`rule ${rule} threw: ${reason}\n`);
  if (!json) io.out(ended(shown, replayed, isCompared));
  return replayed.faults.length > 0 ? 1 : 0;
}

type Shown = Outcome & { change: '+' | '-' | '~' | ' '; heldBefore?: HeldBy };
const unchanged = (outcome: Outcome): Shown => ({ ...outcome, change: ' ' });

/** What the change makes of findings: those that only it finds or leaves, and those of which others would hear, or otherwise. */
function changesOf({ outcomes, before }: Replayed, isShown: (outcome: Outcome) => boolean): Shown[] {
  const former = new Map(before!.map((outcome) => [outcome.finding.id, outcome]));
  const now = new Set(outcomes.map(({ finding }) => finding.id));
  const gone = before!.filter(({ finding }) => !now.has(finding.id)).map((one): Shown => ({ ...one, change: '-' }));
  const there = outcomes.flatMap((outcome): Shown[] => {
    const was = former.get(outcome.finding.id);
    if (was === undefined) return [{ ...outcome, change: '+' }];
    const isSame = was.heldBy === outcome.heldBy && was.finding.severity === outcome.finding.severity;
    return isSame ? [] : [{ ...outcome, change: '~', heldBefore: was.heldBy }];
  });
  return [...gone, ...there].filter(isShown).sort((a, b) => (a.finding.detectedAt < b.finding.detectedAt ? -1 : 1));
}

const inNumber = (count: number, one: string): string =>
  `${count.toLocaleString('en')} ${one}${count === 1 ? '' : 's'}`;
const heldOrTold = (heldBy: HeldBy): string => heldBy ?? 'told';

function begun(what: { events: number; partitions: number; from: Date; to: Date; rules: number }): string {
  const { events, from, to, rules } = what;
  return `${inNumber(events, 'event')} between ${moment(from)} and ${moment(to)}, by ${inNumber(rules, 'rule')}\n`;
}

function describe(io: Io, { finding, heldBy, change, heldBefore }: Shown, isCompared: boolean): string {
  const { detectedAt, severity, rule, title } = finding;
  const held =
    heldBefore === undefined || heldBefore === heldBy
      ? heldOrTold(heldBy)
      : `${heldOrTold(heldBefore)} → ${heldOrTold(heldBy)}`;
  return lineOf(io, [
    ...(isCompared ? [{ text: change }] : []),
    { text: moment(detectedAt) },
    { text: severity.padEnd(8), style: severityStyles[severity] },
    { text: held.padEnd(10), style: heldBy === null ? ('green' as const) : ('dim' as const) },
    { text: rule },
    { text: title },
  ]);
}

function inJson({ finding, heldBy, change, heldBefore }: Shown, isCompared: boolean) {
  return { ...finding, heldBy, ...(isCompared && { change, ...(heldBefore !== undefined && { heldBefore }) }) };
}

function ended(shown: readonly Shown[], { outcomes, before, retracted }: Replayed, isCompared: boolean): string {
  const counted = (list: readonly Outcome[]) =>
    `${inNumber(list.length, 'finding')}, of which ${list.filter(({ heldBy }) => heldBy === null).length} told`;
  const nothing = 'Nothing was recorded, told or revoked.\n';
  if (!isCompared) return `${counted(shown)}; ${retracted} retracted. ${nothing}`;
  const of = (mark: Shown['change']) => shown.filter(({ change }) => change === mark).length;
  return `With the change ${counted(outcomes)}, without it ${counted(before!)}: ${of('+')} more, ${of('-')} fewer, ${of('~')} otherwise. ${nothing}`;
}

/** Shows how far it is, on one line of a terminal that is written over a few times a second. */
function progressOf(io: Io, whole: number): { say: (records: number) => void; end: () => void } {
  const begunMs = performance.now();
  let [done, shownMs] = [0, Number.NEGATIVE_INFINITY];
  return {
    say(records) {
      done += records;
      const nowMs = performance.now();
      if (!io.isTerminal || nowMs - shownMs < 200) return;
      shownMs = nowMs;
      const part = Math.min(1, done / Math.max(1, whole));
      const leftS = Math.ceil(((nowMs - begunMs) / 1000) * (1 / Math.max(part, 0.001) - 1));
      const bar = '█'.repeat(Math.round(part * 30)).padEnd(30, '░');
      io.err(
        `\r${bar} ${String(Math.floor(part * 100)).padStart(3)} %  ${done.toLocaleString('en')} events  ${leftS} s left `,
      );
    },
    end() {
      if (io.isTerminal) io.err('\r\u001b[2K');
    },
  };
}
