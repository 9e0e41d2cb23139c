import type { Attributes } from '@tripline/contracts/attributes';
import type { Chance } from './chance.ts';

/** An organisation as the month finds it on its first day. Names and numbers are invented. */
export type Person = {
  login: string;
  id: number;
  /** Of GitHub's organisation; `admin` owns it. */
  role: 'admin' | 'member';
  /** GitHub shows nobody outside that they belong: in events their association is that of a contributor. */
  isPrivate: boolean;
  isBot: boolean;
};

/** How a repository's changes land: kinds and shares of history-mix.json (design data; eight public repositories measured). */
const landingKinds: {
  weight: number;
  of: { name: string; styles: Partial<Record<Style, number>>; directByBot: number };
}[] = [
  { weight: 50, of: { name: 'squash-only', styles: { squash: 97, web: 3 }, directByBot: 0 } },
  { weight: 12.5, of: { name: 'squash-and-merge', styles: { squash: 75, merge: 17, rebase: 8 }, directByBot: 0 } },
  { weight: 12.5, of: { name: 'merge-commits', styles: { merge: 89, direct: 11 }, directByBot: 0 } },
  { weight: 25, of: { name: 'squash-and-direct', styles: { squash: 67, direct: 28, merge: 5 }, directByBot: 85 } },
];
export type Style = 'squash' | 'merge' | 'rebase' | 'queue' | 'direct' | 'web';

export type Repository = {
  name: string;
  id: number;
  kind: string;
  styles: Partial<Record<Style, number>>;
  directByBot: number;
  size: 'quiet' | 'usual' | 'busy';
  /** Main may not be pushed to: all lands by reviewed changes. */
  isProtected: boolean;
  isPublic: boolean;
  /** Its jobs run on runners of the house. */
  pool: Pool | undefined;
  /** It is deployed to staging and production. */
  isDeployed: boolean;
  /** Others use it by floating tags, such as `v1`, which move at each release. */
  floating: string | undefined;
  team: readonly Person[];
  /** Where branches and tags stand. */
  tips: Map<string, string>;
  number: number;
  release: number;
};
export type Pool = { group: { id: number; name: string }; labels: string[]; runners: { id: number; name: string }[] };
export type Organisation = {
  login: string;
  id: number;
  people: Person[];
  bots: {
    dependabot: Person;
    renovate: Person;
    release: Person;
    provisioning: Person;
    broker: Person;
    /** Keeps the runners, copies all repositories each night, and exports the audit log. */
    runners: Person;
    mirror: Person;
    soc: Person;
  };
  repositories: Repository[];
  pools: Pool[];
  createdAt: string;
};

export function createOrganisation(chance: Chance, of: { people: number; repositories: number }): Organisation {
  const person = (login: string, more: Partial<Person> = {}): Person => ({
    ...{ login, id: chance.serial(), role: 'member', isPrivate: chance.percent(65), isBot: false },
    ...more,
  });
  const people = Array.from({ length: of.people }, (_, n) => person(`dev-${n + 1}`, n < 4 ? { role: 'admin' } : {}));
  const bot = (login: string) => person(`${login}[bot]`, { isBot: true, isPrivate: false });
  const bots = {
    ...{ dependabot: bot('dependabot'), renovate: bot('renovate'), release: bot('acme-release') },
    ...{ provisioning: bot('acme-provisioning'), broker: bot('acme-broker') },
    ...{ runners: bot('acme-runners'), mirror: bot('acme-mirror'), soc: bot('acme-soc') },
  };
  const pools = ['linux-build', 'linux-large', 'deploy'].map((name, n): Pool => {
    const runners = Array.from({ length: 8 }, (_, nth) => ({ id: chance.serial(), name: `${name}-${nth + 1}` }));
    return { group: { id: 10 + n, name }, labels: ['self-hosted', 'linux', name], runners };
  });
  const repositories = Array.from({ length: of.repositories }, (_, n): Repository => {
    const kind = chance.weighted(landingKinds);
    const size = n % 12 === 0 ? 'busy' : n % 3 === 0 ? 'usual' : 'quiet';
    const isDirect = 'direct' in kind.styles;
    const team = Array.from({ length: size === 'busy' ? 40 : size === 'usual' ? 13 : 6 }, () => chance.pick(people));
    const usesQueue = size === 'busy' && !isDirect;
    return {
      ...{ name: `service-${n + 1}`, id: chance.serial(), kind: kind.name, size, team: [...new Set(team)] },
      styles: usesQueue ? { ...kind.styles, queue: 60 } : kind.styles,
      directByBot: kind.directByBot,
      isProtected: !isDirect,
      isPublic: chance.percent(20),
      pool: chance.percent(35) ? chance.pick(pools.slice(0, 2)) : undefined,
      isDeployed: chance.percent(50),
      floating: chance.percent(10) ? 'v1' : undefined,
      tips: new Map([['main', chance.sha()]]),
      ...{ number: 100, release: 0 },
    };
  });
  return { login: 'acme', id: chance.serial(), people, bots, repositories, pools, createdAt: '2021-03-01T09:00:00Z' };
}

/** What the inventory imports on day one, from GitHub's API. */
export function inventoryOf(organisation: Organisation): Attributes {
  const { login, id, people, bots, repositories, pools } = organisation;
  const ownerId = String(id);
  const everybody = [...people, ...Object.values(bots)];
  return {
    'tripline.inventory.part': 1,
    'tripline.inventory.parts': 1,
    'tripline.inventory.runners': pools.flatMap(({ group, labels, runners }) =>
      runners.map((runner) => ({
        ...{ id: String(runner.id), name: runner.name, labels, ownerId },
        ...{ groupId: String(group.id), groupName: group.name },
      })),
    ),
    'tripline.inventory.runner_groups': pools.map(({ group, runners }) => ({
      ...{ id: String(group.id), name: group.name, ownerId, hosted: [], selfHosted: runners.length, isDefault: false },
    })),
    'tripline.inventory.heads': repositories.map(({ name, id: repositoryId, tips }) => ({
      ...{
        repository: `${login}/${name}`,
        repositoryId: String(repositoryId),
        branch: 'main',
        revision: tips.get('main')!,
      },
    })),
    'tripline.inventory.protected': repositories.map(({ name, id: repositoryId, isProtected }) => ({
      ...{ repository: `${login}/${name}`, repositoryId: String(repositoryId) },
      patterns: isProtected ? ['main'] : [],
    })),
    'tripline.inventory.members': everybody
      .filter(({ isBot }) => !isBot)
      .map(({ login: member, id: memberId, role }) => ({ login: member, id: String(memberId), role })),
  };
}
