import { coveredBy } from '@tripline/access/covered';
import type { Version } from '@tripline/access/diff';
import { sharedByTiers } from '@tripline/access/isolation';
import { planPolicies } from '@tripline/access/plan';
import type { PolicyFile } from '@tripline/access/policy';
import { byRisk, type Retirement, type Standing, type StandingLook } from '@tripline/access/standing';
import type { Config } from '@tripline/config/config';
import { createAwsApi } from '@tripline/integrations/aws/api';
import { readAwsStanding, retirementOfAws } from '@tripline/integrations/aws/standing';
import {
  CannotReadError,
  type GitHubAccess,
  installedOn,
  mayRead,
  permittedOf,
  withReader,
} from '@tripline/integrations/github/reader';
import { readStanding, standingPermissions } from '@tripline/integrations/github/standing/read';
import { type OfGithub, retirementOf } from '@tripline/integrations/github/standing/retire';
import { tiersOf } from '@tripline/integrations/minter';
import { createVaultSession } from '@tripline/integrations/vault/session';
import { readVaultStanding, retirementOfVault, vaultPlaceOf } from '@tripline/integrations/vault/standing';
import { systemClock } from '@tripline/runtime/clock';
import { plain } from '@tripline/runtime/plain';
import { type Io, UserError } from '../command.ts';
import { type Listed, type Plan, printJson, printTable } from './show-standing.ts';

export type StandingParts = {
  config: Pick<Config, 'github' | 'workspaces' | 'broker'>;
  nowMs: number;
  /** Absent: nothing is said of what tiers share and of what a policy gives already. */
  policies: Pick<Version, 'file' | 'lock'> | undefined;
  /** Fills in who used what, by the trail; absent where there is none. */
  uses: ((organization: string, rows: readonly Standing[]) => Promise<Standing[]>) | undefined;
  fetch?: typeof globalThis.fetch;
};
/** Something else than GitHub in which rights stand, that id tokens of jobs open. */
type Elsewhere = {
  name: string;
  read: () => Promise<StandingLook>;
  retire: (row: Standing) => Retirement;
};
type Choice = {
  org?: string | undefined;
  repositories?: readonly string[] | undefined;
  json: boolean;
  /** How each is retired, and the policies that take its place. */
  plan: boolean;
  /** Ids of the tokens and keys that secrets hold, by the secret's name: `DEPLOY_KEY=deploy-key/74/12`. */
  holds: readonly string[];
};

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
    const { rows: listed, gaps } = await lookAt(access, organization, { ...parts, ...choice, io });
    if (gaps.length > 0) isWhole = false;
    const rows = parts.uses === undefined ? listed : await parts.uses(organization, listed);
    const { policies } = parts;
    const tiers = policies?.file.tiers;
    const told: Listed = {
      ...{ organization, gaps, nowMs: parts.nowMs, rows: rows.toSorted(byRisk(parts.nowMs)) },
      shared: tiers === undefined ? [] : sharedByTiers(rows, tiers),
      covered: new Map(
        rows.flatMap((row) => {
          const policy = policies === undefined ? undefined : coveredBy(row, policies, organization);
          return policy === undefined ? [] : [[row.id, policy]];
        }),
      ),
      plans: choice.plan
        ? plansOf(rows, { organization, tiers: tiers ?? { dev: [] }, holds: heldBy(choice.holds, rows) })
        : new Map(),
    };
    if (choice.json) printJson(told, io);
    else printTable(told, io);
  }
  if (choice.org === undefined && choice.repositories === undefined)
    for (const place of elsewhere(parts)) if (!(await listElsewhere(place, parts.nowMs, choice, io))) isWhole = false;
  return isWhole ? 0 : 1;
}

/** Accounts of AWS and Vaults in which the broker is known, by what it is known there. */
function elsewhere({ config: { broker }, nowMs, fetch }: StandingParts): Elsewhere[] {
  const options = { clock: { ...systemClock, nowMs: () => nowMs }, fetch };
  return [
    ...broker.aws.map((settings): Elsewhere => {
      const api = createAwsApi(settings, options);
      return {
        name: `AWS (${tiersOf(settings)})`,
        read: () => readAwsStanding(api),
        retire: (row) => retirementOfAws(row, settings.webIdentity?.role),
      };
    }),
    ...broker.vault.map((settings): Elsewhere => {
      const session = createVaultSession(settings, options);
      const { host } = new URL(settings.url);
      return {
        name: `Vault ${host} (${tiersOf(settings)})`,
        read: () => readVaultStanding(session, vaultPlaceOf(settings)),
        retire: retirementOfVault,
      };
    }),
  ];
}

async function listElsewhere(
  { name, read, retire }: Elsewhere,
  nowMs: number,
  choice: Choice,
  io: Io,
): Promise<boolean> {
  const { rows, gaps } = await read();
  const plan = (row: Standing): [string, Plan] => [row.id, { ...retire(row), text: undefined, unknown: [] }];
  const told: Listed = {
    ...{ organization: name, gaps, nowMs, rows: rows.toSorted(byRisk(nowMs)), shared: [], covered: new Map() },
    plans: new Map(choice.plan ? rows.map(plan) : []),
  };
  if (choice.json) printJson(told, io);
  else printTable(told, io);
  return gaps.length === 0;
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

/** The secret of a name holds the row of an id. */
function heldBy(holds: readonly string[], rows: readonly Standing[]): Map<string, Standing> {
  return new Map(
    holds.map((one) => {
      const [secret = '', id = ''] = one.split(/=(.*)/s);
      const row = rows.find((other) => other.id === id);
      if (!rows.some(({ kind, name }) => kind === 'secret' && name === secret) || row === undefined)
        throw new UserError(
          `--holds ${one}: say the name of a secret and the id of a row, DEPLOY_KEY=deploy-key/74/12`,
        );
      return [secret, row];
    }),
  );
}

function plansOf(
  rows: readonly Standing[],
  {
    organization,
    tiers,
    holds,
  }: { organization: string; tiers: PolicyFile['tiers']; holds: ReadonlyMap<string, Standing> },
): Map<string, Plan> {
  return new Map(
    rows.map((row) => {
      const planned =
        row.kind === 'secret' ? planPolicies(row, holds.get(row.name), tiers) : { text: undefined, unknown: [] };
      return [row.id, { ...retirementOf(row as OfGithub, organization), ...planned }];
    }),
  );
}
