import { writeFileSync } from 'node:fs';
import type { Standing } from '@tripline/access/standing';
import { type Config, loadConfig } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import { loadRuleSet } from '@tripline/detector/load-rules';
import { readPolicyNames } from '@tripline/integrations/github/policy-names';
import { CannotReadError, mayRead } from '@tripline/integrations/github/reader';
import { systemClock } from '@tripline/runtime/clock';
import { createWorkspaces } from '@tripline/sources/workspace';
import { type ExplainedJob, explainRun } from '../access/explain-run.ts';
import { listGrants, revokeGrants } from '../access/grants.ts';
import { importTrusts } from '../access/import-trusts.ts';
import { type AskNames, pinNames } from '../access/pin-names.ts';
import { difference, lintFile, none, testFile, who } from '../access/policies.ts';
import { versionOfFile, versionsTaken } from '../access/policy-versions.ts';
import { type ProofKind, proofs } from '../access/proofs.ts';
import { hasUsualFile, readVersion } from '../access/read-files.ts';
import { askForRight, endRight, extendRight, listRequests } from '../access/requests.ts';
import { listStanding } from '../access/standing.ts';
import { withTrailUses } from '../access/trail-uses.ts';
import { tryBroker } from '../access/try/show-story.ts';
import { verifyToken } from '../access/verify-token.ts';
import { type Command, type Io, oneOf, readArguments, UsageError, UserError } from '../command.ts';
import { moment, type Style, styled, wrapped } from '../show.ts';
import { momentOf } from '../since.ts';
import { hasStore, withStore } from '../store.ts';

const options = {
  file: {
    type: 'string',
    value: 'file',
    doc: 'the file of policies; access.yaml when absent. Its lock file lies beside it',
  },
  from: {
    type: 'string',
    value: 'time',
    doc: 'with explain, lock and standing, from when on to read the trail: 24h, 30d, a day or a time; 30d when absent',
  },
  anew: {
    type: 'string',
    value: 'name',
    multiple: true,
    doc: 'with lock: pin this name anew, though it means another id by now; may be given several times',
  },
  org: {
    type: 'string',
    value: 'login',
    doc: 'with standing: this organisation; those that are configured when absent',
  },
  repository: {
    type: 'string',
    value: 'owner/name',
    multiple: true,
    doc: 'with standing: only this repository, beside what is the organisation’s own; may be given several times',
  },
  plan: { type: 'boolean', doc: 'with standing: say how each is retired, and which policies take its place' },
  holds: {
    type: 'string',
    value: 'secret=id',
    multiple: true,
    doc: 'with standing --plan: this secret holds that token or key, by the id of its row; may be given several times',
  },
  live: {
    type: 'boolean',
    doc: 'with grants: only what its provider has not said to be dead; with requests: only what is not over; with passkeys and links: only those that count or wait',
  },
  for: {
    type: 'string',
    value: 'time',
    doc: 'with request: how long, from when it is given: 30m, 1h; with extend: how much longer',
  },
  account: {
    type: 'string',
    value: 'login',
    doc: 'with request: who is to have it, by GitHub login; the name of whoever runs it when absent',
  },
  reason: {
    type: 'string',
    value: 'text',
    doc: 'with revoke, request, extend, passkeys end and links end: why, for those who ask later; kept in the audit trail',
  },
  caller: {
    type: 'string',
    value: 'path',
    doc: 'with import: the workflow whose jobs may ask, where the file names none',
  },
  event: {
    type: 'string',
    value: 'name',
    multiple: true,
    doc: 'with import: what may set it off; push when absent; may be given several times',
  },
  ref: { type: 'string', value: 'ref', doc: 'with import: the ref of jobs, where the file names none' },
  target: { type: 'string', value: 'owner/name', doc: 'with import: the repository in which a .sts.yaml lies' },
  tier: { type: 'string', value: 'name', doc: 'with import: the tier of environments; production when absent' },
  audience: {
    type: 'string',
    value: 'text',
    doc: 'with verify: what the token must be for; with import: what jobs will ask their tokens for (identity.audience)',
  },
  offline: { type: 'boolean', doc: 'with lint and lock: ask GitHub nothing' },
  keep: { type: 'boolean', doc: 'with try: leave the folder of the playing where it is' },
  json: { type: 'boolean', doc: 'print one JSON object a line' },
} as const;
const verbs = [
  'lint',
  'test',
  'who',
  'diff',
  'explain',
  'lock',
  'import',
  'standing',
  'try',
  'verify',
  'grants',
  'revoke',
  'request',
  'requests',
  'extend',
  'end',
  'passkeys',
  'links',
] as const;
type Values = {
  file?: string | undefined;
  from?: string | undefined;
  anew?: string[] | undefined;
  json?: boolean | undefined;
  offline?: boolean | undefined;
  org?: string | undefined;
  repository?: string[] | undefined;
  plan?: boolean | undefined;
  caller?: string | undefined;
  event?: string[] | undefined;
  ref?: string | undefined;
  target?: string | undefined;
  tier?: string | undefined;
  audience?: string | undefined;
  holds?: string[] | undefined;
};

export const access: Command = {
  name: 'access',
  summary: 'Check policies of access, say what they give to whom, list what stands, and say which job a token proves',
  usage: [
    'access lint [--offline] [--file <file>] [--json]',
    'access test [--file <file>] [--json]',
    'access who [<what is given> …] [--file <file>] [--json]',
    'access diff <former file> [<new file>] [--json]',
    'access explain <owner/name#run> [--file <file>] [--from <time>] [--json]',
    'access lock [--offline] [--file <file>] [--from <time>] [--anew <name> …]',
    'access standing [--org <login>] [--repository <owner/name> …] [--plan [--holds <secret=id> …]] [--file <file>] [--from <time>] [--json]',
    'access import <file> … [--caller <path>] [--event <name> …] [--ref <ref>] [--target <owner/name>] [--tier <name>] [--audience <text>]',
    'access try [--keep] [--json]',
    'access verify [--audience <text>] [--json] < token',
    'access grants [--live] [--json]',
    'access revoke <grant | owner/name | owner/name#run | all> --reason <text>',
    'access request <owner/name> <read | triage | write | maintain | admin> --for <time> --reason <text> [--account <login>]',
    'access request team <org/team> [member | maintainer] --for <time> --reason <text> [--account <login>]',
    'access request role <org/role> --for <time> --reason <text> [--account <login>]',
    'access requests [--live] [--json]',
    'access extend <request> --for <time> --reason <text>',
    'access end <request>',
    'access passkeys [--live] [--json]',
    'access passkeys end <passkey> --reason <text>',
    'access links [--live] [--json]',
    'access links end <link> --reason <text>',
  ],
  details:
    'Nothing is given to a job by these. `lint` names what is wrong with a file of policies and the files that it names, `test` decides its tests. ' +
    'Where `broker.apps` and `github.app` (or a token) are configured, `lint` asks GitHub too whether the Apps have what policies give, and whether the environments are gated. ' +
    '`who` says by which policies something is given, such as `who acme/api contents:write`. ' +
    '`diff` says what a new version gives beside the former one, and exits 1 where it gives more. ' +
    '`explain` says what each policy would have answered the jobs of a run, by what the audit trail kept, and by the policies that were in force when each started where a broker took them from a repository; else, and with `--file`, by a file as it is now. ' +
    '`lock` writes beside the policies which ids their names mean, by what was received of them: a name alone gives nobody anything. Of teams and roles of organisations it asks GitHub, by `github.app` or `github.token`. ' +
    '`standing` lists what stands at GitHub by itself (tokens, deploy keys, apps, secrets by name, owners and members, runners, environments), with its age, reach, last use and risk, ' +
    'and what tiers share of it by the tiers of the file of policies; who uses it is read from the trail. Where `broker.aws` or `broker.vault` is configured, what id tokens of jobs open there is listed too. With `--plan` it says how each is retired and writes the policies that take its place; nothing is changed. What may not be read is said with what to grant, and makes it exit 1. ' +
    '`import` prints policies that admit nobody whom trusts of octo-sts (.sts.yaml), access-token.yaml, JWT roles of Vault (JSON) or roles of IAM (`aws iam get-role`) do not admit, ' +
    'and says what was looser there and what it did not translate. ' +
    '`try` shows the broker at work, with a Tripline and a stand-in for GitHub of its own on this machine, in a temporary folder: a job is given a token, uses it and ends, and a use after that is found. It needs bash, curl and jq, and exits 0 where all went as it should. ' +
    '`verify` reads the id token of a CI job from standard input and says which job it proves, or why it proves none, as configured under `identity`: it is checked against the keys of its issuer, which are fetched, and goes nowhere itself. ' +
    '`grants` lists what the broker gave to jobs, and what became of it; `revoke` ends it before its job does, which a broker that runs carries out at once. ' +
    '`request` asks for a right of a person for minutes (on a repository, in a team, or a role of an organisation), which policies allow under `people`; somebody else approves it on the page that `requests` names, with a second factor and the number beside it. ' +
    '`extend` asks for more time for what they have, in all no more than the policy allows, of a second person again. ' +
    'It is taken back by itself, or by `end` before; then they have what they had before. ' +
    '`passkeys` lists by which passkeys people prove who they are, who confirmed each, and when it was used last; `passkeys end` ends one, and what was approved by it counts no more. `links` does the same of who showed, by signing in at both, which account of GitHub’s is theirs.',
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 20 });
    const [verb, ...words] = positionals;
    switch (oneOf('verb', verb, verbs)) {
      case 'lint':
        return lintFile(words, values, io);
      case 'test':
        return testFile(words, values, io);
      case 'who':
        return who(words, values, io);
      case 'diff':
        return difference(words, values, io);
      case 'explain':
        return explain(words, values, io);
      case 'lock':
        return lock(words, values, io);
      case 'import':
        return importFiles(words, values, io);
      case 'standing':
        none(words);
        return standing(values, io);
      case 'grants':
        none(words);
        return listGrants({ live: values.live === true, json: values.json === true }, io);
      case 'revoke':
        return revokeGrants(words, values.reason, io);
      case 'request':
        return askForRight(words, values, io);
      case 'requests':
        none(words);
        return listRequests({ live: values.live === true, json: values.json === true }, io);
      case 'extend':
        return extendRight(words, values, io);
      case 'end':
        return endRight(words, io);
      case 'passkeys':
      case 'links':
        return proofs(
          verb as ProofKind,
          words,
          { live: values.live === true, json: values.json === true, reason: values.reason },
          io,
        );
      case 'try':
        none(words);
        return tryBroker({ json: values.json === true, keep: values.keep === true }, io);
      case 'verify':
        none(words);
        return verifyToken(
          loadConfig(io.env, io.cwd).identity,
          { audience: values.audience, json: values.json === true },
          io,
        );
    }
  },
};

async function explain(
  [named, more]: readonly string[],
  { file, from, json = false }: Values,
  io: Io,
): Promise<number> {
  const [, repository, run] = /^([^/#\s]+\/[^/#\s]+)#(\d+)$/.exec(named ?? '') ?? [];
  if (repository === undefined || run === undefined || more !== undefined)
    throw new UsageError('say which run: `tripline access explain acme/api#29679449`');
  const config = loadConfig(io.env, io.cwd);
  const set = await loadRuleSet(config);
  const since = momentOf('--from', from ?? '30d', Date.now());
  const explained = await withStore(config, async (db) => {
    const taken = file === undefined ? await versionsTaken(db, config) : [];
    const versions = taken.length > 0 ? taken : [versionOfFile(io.cwd, file)];
    return explainRun({ db, config, set }, { repository, run, from: since, versions });
  });
  if (explained === undefined)
    throw new UserError(
      `no event of ${named} is in the audit trail; \`tripline events --repository ${repository}\` lists those that are`,
    );
  if (json) for (const job of explained.jobs) io.out(`${JSON.stringify({ repository, run, ...job })}\n`);
  else if (explained.jobs.length === 0) io.out(`No job of ${named} is known that a policy could be for.\n`);
  else for (const job of explained.jobs) io.out(describeJob(job, io));
  return explained.jobs.some(({ answers }) => answers.some(({ decision }) => decision !== 'denied')) ? 0 : 1;
}

function importFiles(words: readonly string[], values: Values, io: Io): number {
  const { caller, event: events = ['push'], ref, target, tier: environmentTier = 'production' } = values;
  const audience = values.audience ?? loadConfig(io.env, io.cwd).identity.audience;
  if (audience === undefined)
    throw new UsageError('say what jobs ask their tokens for: identity.audience, or --audience');
  return importTrusts(words, { audience, caller, events, ref, target, environmentTier }, io);
}

async function standing({ file, from, org, repository, plan = false, holds = [], json = false }: Values, io: Io) {
  const config = loadConfig(io.env, io.cwd);
  const nowMs = systemClock.nowMs();
  const policies = file !== undefined || hasUsualFile(io.cwd) ? readVersion(io.cwd, file) : undefined;
  const since = momentOf('--from', from ?? '30d', nowMs);
  const choice = { org, repositories: repository, json, plan, holds };
  const { of } = createWorkspaces(config);
  const list = (db?: Db) => {
    const uses =
      db === undefined
        ? undefined
        : (organization: string, rows: readonly Standing[]) => {
            const workspace = of(organization) ?? organization.toLowerCase();
            const told = progressOf(io, json);
            return withTrailUses(db, { workspace, from: since, to: new Date(nowMs) }, rows, told);
          };
    return listStanding({ config, nowMs, policies, uses }, choice, io);
  };
  if (hasStore(config)) return withStore(config, list);
  if (!json) io.err('There is no trail here: who uses what is not told, and last uses are those that GitHub knows.\n');
  return list();
}

/** At most a line each hundred thousand records. */
function progressOf(io: Io, json: boolean): (read: number, of: number) => void {
  let said = 0;
  return (read, of) => {
    if (json || read - said < 100_000) return;
    said = read;
    io.err(`${read} of ${of} records of the trail read\n`);
  };
}

const decisionStyles: Record<string, Style> = { granted: 'green', pending: 'yellow', denied: 'red' };

function describeJob({ job, attempt, startedAt, judgedBy, answers }: ExplainedJob, io: Io): string {
  const when = startedAt === null ? 'not started' : `started ${moment(startedAt)}`;
  const lines = [`${styled(io, 'bold', job)} (attempt ${attempt}, ${when})\n`];
  if (judgedBy === null) lines.push('  no policies were in force when it started\n');
  else lines.push(`  by ${wrapped(io, judgedBy, 5)}\n`);
  if (judgedBy !== null && answers.length === 0) lines.push('  no policy is written for its repository\n');
  for (const { policy, decision, reasons } of answers) {
    lines.push(`  ${policy}: would be ${styled(io, decisionStyles[decision]!, decision)}\n`);
    for (const { message, help } of reasons)
      lines.push(`    ${wrapped(io, message, 4)}\n      ${wrapped(io, help, 6)}\n`);
  }
  return lines.join('');
}

function askingNames({ github }: Pick<Config, 'github'>, io: Io): AskNames {
  const onLeftAlive = (reason: string) =>
    io.err(`revoking a read-only token failed (${reason}); it expires within an hour\n`);
  return async (named) => {
    try {
      return await readPolicyNames(github, named, { nowMs: systemClock.nowMs, onLeftAlive });
    } catch (error) {
      if (!(error instanceof CannotReadError)) throw error;
      throw new UserError(`GitHub cannot be asked: ${error.message}. Without it: \`tripline access lock --offline\``);
    }
  };
}

async function lock(words: readonly string[], { file, from, anew = [], offline }: Values, io: Io): Promise<number> {
  none(words);
  const version = readVersion(io.cwd, file);
  const since = momentOf('--from', from ?? '30d', Date.now());
  const config = loadConfig(io.env, io.cwd);
  const ask = offline || !mayRead(config.github) ? undefined : askingNames(config, io);
  const { text, lines, isWhole } = await withStore(config, (db) => pinNames(db, version, { since, anew, ask }));
  for (const line of lines) io.out(`${wrapped(io, line, 2)}\n`);
  if (isWhole) writeFileSync(version.lockPath, text);
  io.out(isWhole ? `Written: ${version.lockPath}\n` : 'Nothing was written.\n');
  return isWhole ? 0 : 1;
}
