import { type Shared, sharedByTiers } from '@tripline/access/isolation';
import type { PolicyFile } from '@tripline/access/policy';
import {
  byRisk,
  idleForMs,
  riskOf,
  type Standing,
  type StandingGap,
  standingKinds,
  traits,
} from '@tripline/access/standing';
import type { Config } from '@tripline/config/config';
import {
  CannotReadError,
  type GitHubAccess,
  installedOn,
  mayRead,
  permittedOf,
  withReader,
} from '@tripline/integrations/github/reader';
import { readStanding, standingPermissions } from '@tripline/integrations/github/standing/read';
import { plain } from '@tripline/runtime/plain';
import { type Io, UserError } from '../command.ts';
import { lineOf, type Style, wrapped } from '../show.ts';

export type StandingParts = {
  config: Pick<Config, 'github' | 'workspaces'>;
  nowMs: number;
  /** Tiers of a file of policies; absent: nothing is said of what tiers share. */
  tiers: PolicyFile['tiers'] | undefined;
  fetch?: typeof globalThis.fetch;
};
type Choice = { org?: string | undefined; repositories?: readonly string[] | undefined; json: boolean };

/**
 * Lists what stands at GitHub, organisation by organisation. Progress goes to standard error.
 * @returns the exit status: 1 where a part could not be read.
 */
export async function listStanding(parts: StandingParts, choice: Choice, io: Io): Promise<number> {
  const access: GitHubAccess = { ...parts.config.github, fetch: parts.fetch };
  if (!mayRead(access))
    throw new UserError(
      'there is nothing to read GitHub with: configure a GitHub App (TRIPLINE_GITHUB_APP_ID, TRIPLINE_GITHUB_APP_PRIVATE_KEY), which alone is told of fine-grained tokens, or a token (TRIPLINE_GITHUB_TOKEN)',
    );
  let isWhole = true;
  for (const organization of await organizationsOf(parts, access, choice.org)) {
    const { rows, gaps } = await lookAt(access, organization, { ...parts, ...choice, io });
    if (gaps.length > 0) isWhole = false;
    const shared = parts.tiers === undefined ? [] : sharedByTiers(rows, parts.tiers);
    const told = { organization, rows: rows.toSorted(byRisk(parts.nowMs)), gaps, shared, nowMs: parts.nowMs };
    if (choice.json) printJson(told, io);
    else printTable(told, io);
  }
  return isWhole ? 0 : 1;
}

async function organizationsOf(
  { config, nowMs }: StandingParts,
  access: GitHubAccess,
  named?: string,
): Promise<string[]> {
  if (named !== undefined) return [named];
  const configured = config.workspaces.flatMap(({ github }) => github.organizations.map(({ login }) => login));
  const all = configured.length > 0 ? configured : await orSay(() => installedOn(access, nowMs));
  if (all.length === 0) throw new UserError('say which organisation: --org acme, or configure it under `workspaces`');
  return all;
}

async function lookAt(
  access: GitHubAccess,
  organization: string,
  { nowMs, repositories, json, io }: StandingParts & Choice & { io: Io },
) {
  return orSay(async () => {
    const permissions = await permittedOf(access, organization, standingPermissions, nowMs);
    const options = {
      nowMs: () => nowMs,
      onLeftAlive: (reason: string) =>
        io.err(`revoking a read-only token failed (${reason}); it expires within an hour\n`),
    };
    return withReader(access, { owner: organization, permissions }, options, (client) =>
      readStanding(client, organization, {
        ...(repositories === undefined ? {} : { repositories }),
        onProgress: ({ repositories: read, of }) => {
          if (!json) io.err(`${plain(organization)}: ${read} of ${of} repositories read\n`);
        },
      }),
    );
  });
}

async function orSay<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CannotReadError)) throw error;
    throw new UserError(`GitHub cannot be read: ${error.message}`);
  }
}

type Told = {
  organization: string;
  rows: readonly Standing[];
  gaps: readonly StandingGap[];
  shared: readonly Shared[];
  nowMs: number;
};

/** One object a line: `row`, `shared` or `gap`, each with its organisation. */
function printJson({ organization, rows, gaps, shared, nowMs }: Told, io: Io): void {
  const line = (one: object) => io.out(`${JSON.stringify({ organization, ...one })}\n`);
  for (const row of rows) line({ row: { ...row, risk: riskOf(row), idleDays: days(idleForMs(row, nowMs)) } });
  for (const { row, tiers, by } of shared) line({ shared: { id: row.id, kind: row.kind, name: row.name, tiers, by } });
  for (const gap of gaps) line({ gap });
}

const riskStyles: Record<ReturnType<typeof riskOf>, Style> = { high: 'red', medium: 'yellow', low: 'cyan' };

function printTable({ organization, rows, gaps, shared, nowMs }: Told, io: Io): void {
  io.out(lineOf(io, [{ text: `${organization}: ${rows.length} things stand`, style: 'bold' }]));
  for (const row of rows) {
    const risk = riskOf(row);
    const { kind, name, owner, scope } = row;
    const head = [
      { text: risk.padEnd(6), style: riskStyles[risk] },
      { text: `${standingKinds[kind]} ${name}` },
      { text: owner === null || owner === name ? undefined : `of ${owner}` },
    ];
    io.out(lineOf(io, head));
    const facts = [reachOf(row), scope.join(' '), ageOf(row, nowMs), useOf(row, nowMs), row.id];
    io.out(
      `        ${wrapped(
        io,
        facts
          .filter((one) => one !== '')
          .map(plain)
          .join(' · '),
        8,
      )}\n`,
    );
    if (row.traits.length > 0)
      io.out(`        ${wrapped(io, row.traits.map((trait) => traits[trait].says).join('; '), 8)}\n`);
  }
  for (const { row, tiers, by } of shared) {
    const where = by.map(({ tier, repository, environment }) => `${repository} ${environment} (${tier})`).join(', ');
    io.out(
      `${wrapped(io, `shared by ${tiers.join(' and ')}: ${standingKinds[row.kind]} ${plain(row.name)}, reached from ${plain(where)}`, 2)}\n`,
    );
  }
  for (const { what, why, remedy } of gaps)
    io.out(`${wrapped(io, `not read: ${what}: ${plain(why)}. To have it: ${remedy}`, 2)}\n`);
}

function reachOf({ repositories, kind }: Standing): string {
  if (repositories === 'all') return 'every repository';
  if (repositories.length > 0)
    return repositories.length > 3
      ? `${repositories.slice(0, 3).join(' ')} and ${repositories.length - 3} more`
      : repositories.join(' ');
  return kind === 'app' ? 'selected repositories, which GitHub tells the app alone' : '';
}

function ageOf({ createdAt, expiresAt, kind }: Standing, nowMs: number): string {
  const made =
    createdAt === null ? '' : `${kind === 'secret' ? 'set' : 'made'} ${days(nowMs - Date.parse(createdAt))} days ago`;
  return expiresAt === null ? made : `${made}, ends ${expiresAt.slice(0, 10)}`;
}

function useOf(row: Standing, nowMs: number): string {
  if (row.lastUse === 'unknown') return 'last use unknown';
  if (row.lastUse === 'never') return 'never used';
  return `used ${days(nowMs - Date.parse(row.lastUse.at))} days ago`;
}

function days(ms: number): number;
function days(ms: number | undefined): number | null;
function days(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.max(0, Math.floor(ms / 86_400_000));
}
