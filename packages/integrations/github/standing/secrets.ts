import type { Standing } from '@tripline/access/standing';
import { ownerAndRepo } from '../client.ts';
import { type Look, row, timeOf } from './look.ts';

const mostSecrets = 5000;
const mostRepositoriesOfSecret = 1000;

type Secret = { name: string; created_at: string; updated_at: string; visibility?: 'all' | 'private' | 'selected' };
/** Who is given it: jobs of workflows, or Dependabot's. */
type Store = 'actions' | 'dependabot';
const stores: readonly Store[] = ['actions', 'dependabot'];
const said = (store: Store) => (store === 'actions' ? 'secrets' : 'Dependabot secrets');

/** The organisation's secrets by name, each with the repositories whose jobs are given it. A value is never asked for. */
export async function readOrganizationSecrets({ client, organization: org, add, attempt }: Look): Promise<void> {
  for (const store of stores) {
    const permission = store === 'actions' ? 'organization_secrets: read' : 'organization_dependabot_secrets: read';
    await attempt({ what: `the organisation’s ${said(store)}`, kinds: [kindOf(store)], permission }, async () => {
      const listed = { route: `GET /orgs/{org}/${store}/secrets`, parameters: { org } };
      for await (const secret of client.list<Secret>(listed, { under: 'secrets', maxItems: mostSecrets })) {
        const repositories = secret.visibility === 'selected' ? await repositoriesOf(store, secret.name) : 'all';
        const everywhere = repositories === 'all' ? (['every-repository'] as const) : [];
        const id = idOf(store, `@${org}`, secret.name);
        add(secretRow(secret, { id, repositories, kind: kindOf(store), traits: ['every-job', ...everywhere] }));
      }
    });
  }

  async function repositoriesOf(store: Store, name: string): Promise<string[]> {
    const listed = {
      route: `GET /orgs/{org}/${store}/secrets/{secret_name}/repositories`,
      parameters: { org, secret_name: name },
    };
    const names: string[] = [];
    for await (const { full_name } of client.list<{ full_name: string }>(listed, {
      under: 'repositories',
      maxItems: mostRepositoriesOfSecret,
    }))
      names.push(full_name);
    return names;
  }
}

/** A repository's own secrets by name. */
export async function readRepositorySecrets(look: Look, repository: { name: string; id: string }): Promise<void> {
  for (const store of stores) {
    const permission = store === 'actions' ? 'secrets: read' : 'dependabot_secrets: read';
    await look.attempt({ what: `${said(store)} of repositories`, kinds: [kindOf(store)], permission }, async () => {
      const listed = { route: `GET /repos/{owner}/{repo}/${store}/secrets`, parameters: ownerAndRepo(repository.name) };
      for await (const secret of look.client.list<Secret>(listed, { under: 'secrets', maxItems: mostSecrets }))
        look.add(
          secretRow(secret, {
            ...{ id: idOf(store, repository.id, secret.name), repositories: [repository.name] },
            ...{ kind: kindOf(store), traits: ['every-job'] },
          }),
        );
    });
  }
}

/** Secrets of one environment: only jobs that name it, and get past its protection, are given them. */
export function readEnvironmentSecrets(
  look: Look,
  repository: { name: string; id: string },
  environment: string,
): Promise<void> {
  return look.attempt(
    { what: 'secrets of environments', kinds: ['secret'], permission: 'environments: read' },
    async () => {
      const parameters = { ...ownerAndRepo(repository.name), environment_name: environment };
      const listed = { route: 'GET /repos/{owner}/{repo}/environments/{environment_name}/secrets', parameters };
      for await (const secret of look.client.list<Secret>(listed, { under: 'secrets', maxItems: mostSecrets })) {
        const id = `${idOf('actions', repository.id, secret.name)}@${environment}`;
        const scope = [`environment ${environment}`];
        look.add(secretRow(secret, { id, repositories: [repository.name], scope, environments: [environment] }));
      }
    },
  );
}

const kindOf = (store: Store) => (store === 'actions' ? 'secret' : 'dependabot-secret');
const idOf = (store: Store, of: string, name: string) => `${kindOf(store)}/${of}/${name}`;

const secretRow = (secret: Secret, own: Pick<Standing, 'id' | 'repositories'> & Partial<Standing>): Standing => {
  const { traits = [], ...rest } = own;
  return row({
    kind: 'secret',
    name: secret.name,
    seenAs: own.kind === 'dependabot-secret' ? null : `secret:${secret.name.toUpperCase()}`,
    createdAt: timeOf(secret.updated_at),
    ...rest,
    traits: ['never-expires', ...traits],
  });
};
