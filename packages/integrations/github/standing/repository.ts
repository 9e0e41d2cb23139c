import type { Trait } from '@tripline/access/standing';
import { inSmallLetters } from '@tripline/contracts/text';
import { ownerAndRepo } from '../client.ts';
import { type Look, lastUseOf, readThing, row, timeOf } from './look.ts';
import type { Outsiders } from './people.ts';
import { readEnvironmentSecrets, readRepositorySecrets } from './secrets.ts';

type Named = { name: string; id: string };
type Key = {
  id: number | bigint;
  title: string;
  created_at: string;
  read_only: boolean;
  added_by?: string | null;
  last_used?: string | null;
  enabled?: boolean;
};

/** What stands in one repository: deploy keys, secrets, environments, and who was let in by name. */
export async function readRepository(look: Look, repository: Named, outsiders: Outsiders): Promise<void> {
  await readDeployKeys(look, repository);
  await readRepositorySecrets(look, repository);
  await readEnvironments(look, repository);
  await readOutsiders(look, repository, outsiders);
}

function readDeployKeys({ client, add, attempt }: Look, { name, id }: Named): Promise<void> {
  return attempt({ what: 'deploy keys', kinds: ['deploy-key'], permission: 'administration: read' }, async () => {
    const listed = { route: 'GET /repos/{owner}/{repo}/keys', parameters: ownerAndRepo(name) };
    for await (const key of client.list<Key>(listed)) {
      if (key.enabled === false) continue;
      const power: Trait[] = key.read_only ? ['never-expires'] : ['writes', 'never-expires'];
      add(
        row({
          ...{ kind: 'deploy-key', id: `deploy-key/${id}/${key.id}`, name: key.title, owner: key.added_by ?? null },
          ...{ repositories: [name], scope: [key.read_only ? 'contents:read' : 'contents:write'], traits: power },
          ...{ createdAt: timeOf(key.created_at), lastUse: lastUseOf(key.last_used) },
        }),
      );
    }
  });
}

type Rule = { type: string; reviewers?: unknown[] };
type Environment = {
  id: number | bigint;
  name: string;
  created_at: string;
  can_admins_bypass?: boolean;
  protection_rules?: Rule[];
  deployment_branch_policy?: object | null;
};
type Gate = { enabled?: boolean; app?: { slug?: string } };

/** Environments with what protects them; what GitHub's list does not tell of gates is asked of each. */
function readEnvironments(look: Look, repository: Named): Promise<void> {
  const where = ownerAndRepo(repository.name);
  return look.attempt({ what: 'environments', kinds: ['environment'], permission: 'actions: read' }, async () => {
    const listed = { route: 'GET /repos/{owner}/{repo}/environments', parameters: where };
    for await (const environment of look.client.list<Environment>(listed, { under: 'environments' })) {
      const rules = environment.protection_rules ?? [];
      const isReviewed = rules.some(
        ({ type, reviewers }) => type === 'required_reviewers' && (reviewers?.length ?? 0) > 0,
      );
      const gates = await gatesOf(look, where, environment.name);
      const traits: Trait[] = [
        ...(isReviewed || gates.length > 0 ? [] : (['ungated'] as const)),
        ...(environment.deployment_branch_policy ? [] : (['every-branch'] as const)),
        ...(environment.can_admins_bypass === true ? (['administrators-bypass'] as const) : []),
      ];
      const scope = [...(isReviewed ? ['reviewers'] : []), ...gates.map((slug) => `gate ${slug}`)];
      look.add(
        row({
          ...{ kind: 'environment', id: `environment/${repository.id}/${environment.id}`, name: environment.name },
          ...{ repositories: [repository.name], scope, traits, createdAt: timeOf(environment.created_at) },
          environments: [environment.name],
          seenAs: `environment:${inSmallLetters(environment.name)}`,
        }),
      );
      await readEnvironmentSecrets(look, repository, environment.name);
    }
  });
}

async function gatesOf(
  { client, attempt }: Look,
  where: { owner: string; repo: string },
  environment: string,
): Promise<string[]> {
  const gates: string[] = [];
  await attempt({ what: 'gates of environments', kinds: [], permission: 'actions: read' }, async () => {
    const answer = await readThing<{ custom_deployment_protection_rules?: Gate[] }>(client, {
      route: 'GET /repos/{owner}/{repo}/environments/{environment_name}/deployment_protection_rules',
      parameters: { ...where, environment_name: environment },
    });
    for (const { enabled, app } of answer.custom_deployment_protection_rules ?? [])
      if (enabled !== false) gates.push(app?.slug ?? 'an app');
  });
  return gates;
}

type Collaborator = { login: string; role_name?: string };

/** What outside collaborators may do in the repository; asked only where the organisation has some. */
async function readOutsiders({ client, attempt }: Look, { name }: Named, outsiders: Outsiders): Promise<void> {
  if (outsiders.size === 0) return;
  await attempt(
    { what: 'what outside collaborators may do', kinds: [], permission: 'administration: read' },
    async () => {
      const parameters = { ...ownerAndRepo(name), affiliation: 'outside' };
      const listed = { route: 'GET /repos/{owner}/{repo}/collaborators', parameters };
      for await (const { login, role_name } of client.list<Collaborator>(listed))
        outsiders.get(login)?.rights.set(name, role_name ?? 'read');
    },
  );
}
