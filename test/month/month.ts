import { createChance } from './chance.ts';
import { landByChange, landDirectly } from './landings.ts';
import { grantOnCall, hotfix, join, leave, nightly, rebuildPool, release, rename, rotateDeployKey } from './life.ts';
import { createOrganisation, type Repository, type Style } from './organisation.ts';
import { planRecords } from './records.ts';
import { createWorld, type Delivery, dayMs, hourMs, minuteMs, type World } from './world.ts';

/**
 * A month of an organisation, drawn from figures of real histories where there are some, else invented: landing styles, bots,
 * lead times, commits a change, CI files touched and tags are drawn by history-mix.json; reviews, memberships, runners, access,
 * joiners, hotfixes, renames, outages and what only the audit log tells are invented.
 */
export type MonthOptions = {
  seed: number;
  /** 1 is an organisation of 500 people with 150 repositories. */
  size: number;
  startMs: number;
  days: number;
  receive: (delivery: Delivery, receivedAtMs: number) => void;
};

/** What an organisation names: the workflow that may grant, who grants in it, and who lets people join. */
export const named = {
  workflow: 'on-call/.github/workflows/grant.yml',
  actor: 'acme-broker[bot]',
  joins: 'acme-provisioning[bot]',
};

const perDay = {
  quiet: { p50: 0.2, p90: 1, max: 7 },
  usual: { p50: 1, p90: 4, p99: 11, max: 25 },
  busy: { p50: 6, p90: 12, p99: 19, max: 25 },
} as const;

export function prepareMonth({ seed, size, startMs, days, receive }: MonthOptions): World {
  const chance = createChance(seed);
  const many = (count: number) => Math.max(1, Math.round(count * size));
  const organisation = createOrganisation(chance, { people: many(500), repositories: Math.max(12, many(150)) });
  const endMs = startMs + days * dayMs;
  const world = createWorld({ chance, organisation, startMs, endMs, receive });
  const { repositories, people, pools } = organisation;
  const access: Repository = {
    ...repositories[1]!,
    name: 'on-call',
    id: chance.serial(),
    ...{ kind: 'squash-only', styles: { squash: 100 }, directByBot: 0 },
    isProtected: true,
    tips: new Map([['main', chance.sha()]]),
  };
  repositories.push(access);
  const team = { id: chance.serial(), slug: 'developers' };
  /** A time of day at which people work. */
  const atWork = (day: number) => startMs + day * dayMs + 8 * hourMs + Math.floor(chance.between(0, 10 * hourMs));
  const someDay = () => chance.upTo(days);
  const isWeekend = (day: number) => [0, 6].includes(new Date(startMs + day * dayMs).getUTCDay());

  for (let day = 0; day < days; day += 1) {
    for (const repository of repositories) {
      // Of all landings one in seven is of a weekend: two days of seven.
      const share = isWeekend(day) ? 0.4 : 1;
      const landings = Math.round(chance.spread(perDay[repository.size]) * share);
      for (let nth = 0; nth < landings; nth += 1) land(world, repository, atWork(day));
      if (repository.size === 'busy') world.at(startMs + day * dayMs + 2 * hourMs, () => nightly(world, repository));
    }
  }
  const scheduled: [count: number, what: () => void][] = [
    [many(62), () => release(world, chance.pick(repositories))],
    [many(20), () => hotfix(world, chance.pick(repositories.filter(({ isProtected }) => isProtected)))],
    [many(16), () => join(world, team)],
    [many(9), () => leave(world, people[4 + chance.upTo(people.length - 4)]!, team)],
    [many(44), () => grantOnCall(world, chance.pick(repositories.filter(({ isDeployed }) => isDeployed)), access)],
    [many(10), () => rotateDeployKey(world, chance.pick(repositories))],
  ];
  for (const [count, what] of scheduled) for (let nth = 0; nth < count; nth += 1) world.at(atWork(someDay()), what);
  for (const [nth, pool] of pools.entries()) world.at(atWork(6 + 7 * nth), () => rebuildPool(world, pool));
  for (const nth of [2, 5]) world.at(atWork(8 + nth), () => rename(world, repositories[nth]!));
  const outageMs = startMs + Math.floor(days / 2) * dayMs + 13 * hourMs;
  world.breakDown(outageMs, outageMs + 90 * minuteMs);
  world.at(outageMs, () => world.count('outages of the provider with redeliveries'));
  const silentMs = startMs + Math.floor(days * 0.6) * dayMs + 10 * hourMs;
  world.breakStreamDown(silentMs, silentMs + 3 * hourMs);
  world.at(silentMs, () => world.count('outages of the audit stream'));
  planRecords(world, { days, share: (size * days) / 30, atWork, isWeekend });
  return world;
}

function land(world: World, repository: Repository, landsMs: number): void {
  const { chance, organisation } = world;
  const { bots } = organisation;
  const style = chance.weighted(
    (Object.entries(repository.styles) as [Style, number][]).map(([of, weight]) => ({ weight, of })),
  );
  const person = () => chance.pick(repository.team);
  // Of a protected main, what the web interface committed is a squash whose title has lost its number.
  if (style === 'direct' || (style === 'web' && !repository.isProtected)) {
    world.at(landsMs, () =>
      landDirectly(world, repository, chance.percent(repository.directByBot) ? bots.release : person(), style),
    );
    return;
  }
  const isBots = chance.percent(22);
  const author = isBots ? chance.pick([bots.dependabot, bots.renovate]) : person();
  const reviewer = other(author);
  const merger = chance.percent(13) && !isBots ? author : chance.percent(60) ? repository.team[0]! : reviewer;
  const leadMs =
    (isBots ? chance.spread({ p50: 0.1, p90: 4 }) : chance.spread({ p50: 19, p90: 560, p99: 3500 })) * hourMs;
  const restMs = Math.min(leadMs * 0.9, chance.spread({ p50: 4.6, p90: 67 }) * hourMs);
  const commits = isBots
    ? 1
    : Math.max(1, Math.round(chance.spread(style === 'merge' ? { p50: 3, p90: 16 } : { p50: 1, p90: 4, p99: 20 })));
  const touchesCi = chance.percent(isBots ? 25 : 8);
  const isUpdated = !isBots && chance.percent(4);
  landByChange(world, repository, landsMs, {
    style: style === 'web' ? 'squash' : style,
    author,
    reviewer,
    merger,
    leadMs: Math.max(leadMs, 6 * minuteMs),
    restMs: Math.max(restMs, 3 * minuteMs),
    commits,
    touchesCi,
    isUpdated,
  });

  function other(than: { login: string }) {
    const others = repository.team.filter(({ login }) => login !== than.login);
    return others.length > 0 ? chance.pick(others) : organisation.people.find(({ login }) => login !== than.login)!;
  }
}
