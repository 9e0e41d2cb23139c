import type { Trait } from '@tripline/access/standing';
import { type Look, row } from './look.ts';

const mostRepositories = 1000;
const permission = 'organization_self_hosted_runners: read';

type Group = {
  id: number | bigint;
  name: string;
  visibility: string;
  allows_public_repositories: boolean;
  restricted_to_workflows?: boolean;
  selected_workflows?: string[];
};
type Runner = {
  id: number | bigint;
  name: string;
  runner_group_id?: number | bigint;
  labels: { name: string }[];
  ephemeral?: boolean;
};

/** Groups of machines with the repositories whose jobs they take, and the organisation's own machines. */
export async function readMachines({ client, organization: org, add, attempt }: Look): Promise<void> {
  await attempt(
    { what: 'groups of runners', kinds: ['runner-group'], permission, missing: 'GitHub answered 404' },
    async () => {
      const listed = { route: 'GET /orgs/{org}/actions/runner-groups', parameters: { org } };
      for await (const group of client.list<Group>(listed, { under: 'runner_groups' })) {
        const traits: Trait[] = [
          ...(group.allows_public_repositories ? (['public-repositories'] as const) : []),
          ...(group.restricted_to_workflows === true ? [] : (['every-workflow'] as const)),
          ...(group.visibility === 'all' ? (['every-repository'] as const) : []),
        ];
        const repositories = group.visibility === 'selected' ? await repositoriesOf(group.id) : 'all';
        const scope = (group.selected_workflows ?? []).toSorted();
        add(
          row({
            kind: 'runner-group',
            id: `runner-group/${org}/${group.id}`,
            seenAs: `group:${group.id}`,
            name: group.name,
            repositories,
            scope,
            traits,
          }),
        );
      }
    },
  );
  await attempt({ what: 'runners', kinds: ['runner'], permission }, async () => {
    const listed = { route: 'GET /orgs/{org}/actions/runners', parameters: { org } };
    for await (const runner of client.list<Runner>(listed, { under: 'runners' })) {
      const scope = runner.labels.map(({ name }) => name).sort();
      const traits: Trait[] = runner.ephemeral === true ? [] : ['lasting'];
      add(
        row({
          kind: 'runner',
          id: `runner/${org}/${runner.id}`,
          seenAs: `runner:${runner.id}`,
          name: runner.name,
          repositories: 'all',
          scope,
          traits,
        }),
      );
    }
  });

  async function repositoriesOf(id: number | bigint): Promise<string[]> {
    const parameters = { org, runner_group_id: id };
    const listed = { route: 'GET /orgs/{org}/actions/runner-groups/{runner_group_id}/repositories', parameters };
    const names: string[] = [];
    for await (const { full_name } of client.list<{ full_name: string }>(listed, {
      under: 'repositories',
      maxItems: mostRepositories,
    }))
      names.push(full_name);
    return names;
  }
}
