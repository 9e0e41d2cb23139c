import { type ClaimCondition, openedBy } from '@tripline/access/id-token-trust';
import type { Retirement, Standing, StandingGap, StandingLook } from '@tripline/access/standing';
import { z } from 'zod';
import { saidBy, type VaultSession } from './session.ts';

const issuer = 'https://token.actions.githubusercontent.com';
const mostRoles = 1000;

const mounts = z.object({ data: z.record(z.string(), z.looseObject({ type: z.string() })) });
const config = z.object({
  data: z.looseObject({ bound_issuer: z.string().nullish(), oidc_discovery_url: z.string().nullish() }),
});
const keys = z.object({ data: z.object({ keys: z.array(z.string()) }) });
const texts = z.union([z.string(), z.array(z.string())]).transform((one) => [one].flat());
const role = z.object({
  data: z.looseObject({
    ...{ bound_audiences: z.array(z.string()).nullish(), bound_subject: z.string().nullish() },
    ...{ bound_claims_type: z.string().nullish(), bound_claims: z.record(z.string(), texts).nullish() },
    token_policies: z.array(z.string()).nullish(),
  }),
});

/**
 * Roles of JWT methods that take id tokens of GitHub's. `place`: see {@link vaultPlaceOf}. Vault tells neither when one was made nor when it was used last.
 */
export async function readVaultStanding(session: Pick<VaultSession, 'ask'>, place: string): Promise<StandingLook> {
  const rows: Standing[] = [];
  const gaps = new Map<string, StandingGap>();
  const read = async <T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> => {
    const answer = await session.ask({ method: 'GET', path });
    if (answer.status === 404) return undefined;
    const told = schema.safeParse(answer.status === 200 ? answer.data : undefined);
    if (told.success) return told.data;
    const where = withoutNames(path);
    gaps.set(where, {
      ...{ what: `Vault roles (${where})`, why: saidBy(answer), kinds: ['vault-role'] },
      remedy: `allow the broker’s policy to read ${where}`,
    });
    return undefined;
  };
  for (const [mount, { type }] of Object.entries((await read('sys/auth', mounts))?.data ?? {})) {
    if (type !== 'jwt' && type !== 'oidc') continue;
    const at = `auth/${mount.replace(/\/$/, '')}`;
    const { bound_issuer, oidc_discovery_url } = (await read(`${at}/config`, config))?.data ?? {};
    if (![bound_issuer, oidc_discovery_url].some((one) => one?.startsWith(issuer))) continue;
    for (const name of ((await read(`${at}/role?list=true`, keys))?.data.keys ?? []).slice(0, mostRoles)) {
      const found = await read(`${at}/role/${encodeURIComponent(name)}`, role);
      if (found !== undefined) rows.push(rowOf(`${place}/${at}`, name, found.data));
    }
  }
  return { rows, gaps: [...gaps.values()], covers: [`vault-role/${place}/auth/`] };
}

/** Where roles lie: the host and, where there is one, the namespace, since those of two are not the same. */
export function vaultPlaceOf({ url, namespace }: { url: string; namespace?: string | undefined }): string {
  const within = namespace?.split('/').filter((part) => part !== '') ?? [];
  return [new URL(url).host, ...within].join('/');
}

function rowOf(at: string, name: string, told: z.output<typeof role>['data']): Standing {
  const isGlob = told.bound_claims_type === 'glob';
  const { repositories, scope, traits } = openedBy([
    ...(told.bound_audiences?.length ? [{ claim: 'aud', values: told.bound_audiences, isGlob: false }] : []),
    ...(told.bound_subject ? [{ claim: 'sub', values: [told.bound_subject], isGlob: false }] : []),
    ...Object.entries(told.bound_claims ?? {}).map(([claim, values]): ClaimCondition => ({ claim, values, isGlob })),
  ]);
  return {
    ...{ kind: 'vault-role', id: `vault-role/${at}/${name}`, name, owner: null, createdAt: null, expiresAt: null },
    ...{ lastUse: 'unknown', seenAs: null, usedBy: [], environments: [] },
    ...{ repositories, scope: [...scope, ...(told.token_policies ?? []).map((one) => `policy ${one}`)], traits },
  };
}

/** How a row of Vault is retired, as a command of its own. */
export function retirementOfVault(row: Standing): Retirement {
  const path = row.id.replace(/^vault-role\/[^/]+\//, '').replace(/\/[^/]+$/, '');
  return {
    trial: `Make a role of tokens for the broker (packages/integrations/vault), give it by a policy (\`vault read -format=json ${path}/role/${row.name} > ${row.name}.json && tripline access import ${row.name}.json\`), and let its jobs ask the broker for two weeks.`,
    retire: [`vault delete ${path}/role/${row.name}`],
    check: `Look again: \`tripline access standing\` has no row ${row.id} any more.`,
    wayBack: 'Write it again from what `vault read` printed.',
  };
}

/** A path without its query, and without the name of a role in it. */
function withoutNames(path: string): string {
  const [plain = ''] = path.split('?', 1);
  const role = plain.indexOf('/role/');
  return role === -1 ? plain : `${plain.slice(0, role)}/role/…`;
}
