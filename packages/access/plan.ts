import { outsiderEvents } from '@tripline/identity/github/outsider-events';
import { stringify } from 'yaml';
import { tierOf } from './decide.ts';
import type { PolicyFile } from './policy.ts';
import type { Standing, Use } from './standing.ts';

/** What a plan adds to a file of policies: by name, as `policies` has them, and what of it nobody told. */
export type PlannedPolicies = { text: string | undefined; unknown: string[] };

type Give = { github: { repositories: string[]; permissions: Record<string, string> } };
type Written = {
  tier: string;
  who: { github: Record<string, unknown> };
  needs: Record<string, unknown>;
  give: Give[];
  tests: object[];
};

/**
 * Policies that give jobs which were seen with a secret what it is used for: these workflows, refs, events and environments, and no others.
 * `holds`: the token or key whose value the secret is, where somebody said so; GitHub tells nobody. As YAML under `policies:`;
 * undefined where no job was seen of which enough is known.
 */
export function planPolicies(
  secret: Standing,
  holds: Standing | undefined,
  tiers: PolicyFile['tiers'],
): PlannedPolicies {
  const unknown: string[] = [];
  const give = giveOf(holds ?? secret, unknown);
  const planned: Record<string, Written> = {};
  for (const [key, uses] of Map.groupBy(
    secret.usedBy,
    ({ repository, workflow, environment }) => `${repository} ${workflow} ${environment}`,
  )) {
    const written = policyOf(key, uses, { give, tiers }, unknown);
    if (written !== undefined) planned[nameOf(uses[0]!, planned)] = written;
  }
  if (secret.usedBy.length === 0)
    unknown.push('which jobs use it: none was seen with it, which takes the audit log’s records of secrets');
  if (holds === undefined)
    unknown.push(
      `what ${secret.name} opens: \`give\` holds the least there is; put in its place what it is for, or say --holds ${secret.name}=<id of a row>`,
    );
  const text =
    Object.keys(planned).length === 0
      ? undefined
      : stringify(planned, { lineWidth: 120, aliasDuplicateObjects: false });
  return { text, unknown };
}

/** What a token or key gives in GitHub's own words, with which a policy's `give` may replace it. */
export function giveOf(row: Standing, unknown: string[] = []): Give | undefined {
  const repositories =
    row.repositories === 'all' ? [...new Set(row.usedBy.map(({ repository }) => repository))].sort() : row.repositories;
  if (repositories.length === 0) return undefined;
  if (row.repositories === 'all' && row.kind !== 'secret')
    unknown.push(
      `which repositories of all that ${row.name} reaches are needed: those whose jobs were seen are written`,
    );
  const permissions = Object.fromEntries(
    row.scope.flatMap((one) => {
      const [name, level] = one.split(':');
      return name !== undefined && (level === 'read' || level === 'write') ? [[name, level]] : [];
    }),
  );
  const least = Object.keys(permissions).length > 0 ? permissions : { contents: 'read' };
  return { github: { repositories: [...repositories].slice(0, 50), permissions: least } };
}

function policyOf(
  key: string,
  uses: readonly Use[],
  { give, tiers }: { give: Give | undefined; tiers: PolicyFile['tiers'] },
  unknown: string[],
): Written | undefined {
  const { repository, workflow, environment } = uses[0]!;
  const [file, ref] = workflow?.split('@') ?? [];
  if (file === undefined || ref === undefined || !ref.startsWith('refs/')) {
    unknown.push(`the workflow and ref of the jobs of ${repository}: their records name none`);
    return undefined;
  }
  if (!file.startsWith(`${repository}/`)) {
    unknown.push(
      `who calls ${workflow} for ${repository}: its records name the called workflow alone, so no policy is written for it`,
    );
    return undefined;
  }
  const tier = environment === null ? 'dev' : tierOf(environment, tiers);
  if (tier === undefined || tiers[tier] === undefined) {
    unknown.push(
      environment === null
        ? `a tier for jobs without an environment (${key}): add \`dev\` to tiers`
        : `the tier of environment ${environment}: add it to tiers`,
    );
    return undefined;
  }
  const told = [...new Set(uses.flatMap(({ event }) => (event === null ? [] : [event])))].sort();
  const events = told.filter((event) => tier !== 'production' || !outsiderEvents.has(event));
  for (const event of told)
    if (!events.includes(event))
      unknown.push(`a safe way for ${event}: whoever has no write access sets it off, and production is not for them`);
  if (events.length === 0) {
    unknown.push(`what sets the jobs of ${workflow} off: their runs were not received`);
    return undefined;
  }
  return {
    tier,
    who: {
      github: {
        ...{ repository, caller: `${file.slice(repository.length + 1)}@${ref}`, events, ref },
        ...(environment === null ? {} : { environment }),
      },
    },
    needs: tier === 'production' ? { reviewed: true, noIncident: 'high' } : {},
    give: [give ?? { github: { repositories: [repository], permissions: { contents: 'read' } } }],
    tests: [{ expect: 'granted' }, { job: { ref: 'refs/heads/another' }, expect: 'denied', because: ['ref'] }],
  };
}

function nameOf({ repository, workflow, environment }: Use, taken: object): string {
  const file = (workflow ?? '').split('@')[0]!.split('/').at(-1)!.split('.')[0];
  const words = [repository.split('/')[1], file, environment ?? ''].join('-').toLowerCase();
  const base =
    words
      .split(/[^a-z0-9]/)
      .filter((word) => word !== '')
      .join('-')
      .slice(0, 58) || 'jobs';
  for (let nth = 1; ; nth += 1) {
    const name = nth === 1 ? base : `${base}-${nth}`;
    if (!(name in taken)) return name;
  }
}
