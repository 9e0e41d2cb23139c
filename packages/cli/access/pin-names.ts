import type { Version } from '@tripline/access/diff';
import type { LockFile } from '@tripline/access/lock';
import { reachOf } from '@tripline/access/people-rights';
import type { Attributes } from '@tripline/contracts/attributes';
import type { Db } from '@tripline/db/database';
import type { PolicyNames } from '@tripline/integrations/github/policy-names';
import { listReceived } from '@tripline/trail/received';
import { stringify } from 'yaml';

/** The text of a lock file, what it pins in words, and whether every name is pinned. */
export type Pinned = { text: string; lines: string[]; isWhole: boolean };

/**
 * Pins the names of policies by what was received of them last. What is pinned already stays: a name that means another id by now
 * was given away, and only `anew` takes that for right. Few teams and roles are received: GitHub is asked for them, by `ask`. Of other CI
 * than GitHub nothing is received, so their ids are written by hand, and those of teams and roles where `ask` is absent.
 */
export async function pinNames(
  db: Db,
  { file, lock }: Version,
  { since, anew, ask }: { since: Date; anew: readonly string[]; ask?: AskNames | undefined },
): Promise<Pinned> {
  const who = Object.values(file.policies).map((policy) => policy.who);
  const ofJobs = who.flatMap((one) => ('github' in one ? [one.github.repository] : []));
  const ofPeople = Object.values(file.people).flatMap(({ repositories = [] }) => repositories);
  const given = Object.values(file.policies).flatMap(({ give }) => give);
  const ofGiven = given.flatMap((one) => ('github' in one ? one.github.repositories : []));
  const names = [...new Set([...ofJobs, ...ofPeople, ...ofGiven])].sort();
  const github: LockFile['github'] = {};
  const lines: string[] = [];
  let isWhole = true;
  for (const name of names) {
    const [known, told] = [lock.github[name], await idsOf(db, name, since)];
    const isOther = known !== undefined && told !== undefined && (known.id !== told.id || known.owner !== told.owner);
    if (isOther && !anew.includes(name)) {
      lines.push(
        `${name} is pinned as ${said(known)}, and what was received last is ${said(told)}: another one bears the name. If that is right, say --anew ${name}`,
      );
      isWhole = false;
    }
    const pin = isOther && anew.includes(name) ? told : (known ?? told);
    if (pin === undefined) {
      lines.push(
        `${name}: nothing was received of it that tells its ids; \`tripline events --repository ${name}\` lists what was`,
      );
      isWhole = false;
      continue;
    }
    github[name] = pin;
    if (pin !== known) lines.push(`${name} is ${said(pin)}`);
  }
  const others = who.flatMap((one) => {
    if ('gitlab' in one) return lock.gitlab[one.gitlab.repository] === undefined ? [one.gitlab.repository] : [];
    if (!('buildkite' in one)) return [];
    const whole = `${one.buildkite.organization}/${one.buildkite.pipeline}`;
    return lock.buildkite[whole] === undefined ? [whole] : [];
  });
  const projects = given.flatMap((one) => ('gitlab' in one ? [one.gitlab.project] : []));
  others.push(...projects.filter((name) => lock.gitlab[name] === undefined && !others.includes(name)));
  const asked = await pinTeamsAndRoles({ file, lock }, ask, anew);
  lines.push(...asked.lines);
  lines.push(...others.map((name) => `${name}: write its ids into the lock file by hand; no feed of its CI is read`));
  const owners = await pinOwners(db, { file, lock }, since, anew);
  lines.push(...owners.lines);
  const { teams, roles } = asked;
  const text = stringify({ ...lock, github, teams, roles, people: owners.people });
  return { text, lines, isWhole: isWhole && owners.isWhole && asked.isWhole };
}

/** How GitHub is asked which ids teams and roles have. */
export type AskNames = (named: { teams: readonly string[]; roles: readonly string[] }) => Promise<PolicyNames>;

async function pinTeamsAndRoles({ file, lock }: Version, ask: AskNames | undefined, anew: readonly string[]) {
  const reaches = Object.values(file.people).map(reachOf);
  const namesOf = (kind: string) => [...new Set(reaches.flatMap((one) => (one.kind === kind ? one.names : [])))].sort();
  const named = { teams: namesOf('team-member'), roles: namesOf('org-role') };
  const isAny = named.teams.length + named.roles.length > 0;
  const found = isAny ? await ask?.(named) : undefined;
  const pinned = { teams: { ...lock.teams }, roles: { ...lock.roles } };
  const lines: string[] = [];
  let isWhole = true;
  for (const kind of ['teams', 'roles'] as const) {
    for (const name of named[kind]) {
      const [known, told] = [lock[kind][name], found?.[kind][name]];
      const isOther = known !== undefined && told !== undefined && (known.id !== told.id || known.owner !== told.owner);
      if (isOther && !anew.includes(name)) {
        lines.push(
          `${name} is pinned as ${said(known)}, and GitHub says ${said(told)}: another one bears the name. If that is right, say --anew ${name}`,
        );
        isWhole = false;
        continue;
      }
      const pin = told ?? known;
      if (pin === undefined) lines.push(`${whereIsId[kind](name)}${whyNot(found?.unread.get(`${kind} ${name}`))}`);
      else pinned[kind][name] = pin;
      if (pin !== undefined && (known === undefined || isOther)) lines.push(`${name} is ${said(pin)}`);
    }
  }
  return { ...pinned, lines, isWhole };
}

const whyNot = (why: string | undefined): string => (why === undefined ? '' : ` (${why})`);

/** Where GitHub could not be asked, or did not say. */
const whereIsId = {
  teams: (name: string) =>
    `${name}: write its ids into the lock file by hand, under teams: gh api orgs/${name.replace('/', '/teams/')} --jq '[.id, .organization.id]'`,
  roles: (name: string) =>
    `${name}: write its ids into the lock file by hand, under roles: gh api orgs/${name.split('/')[0]}/organization-roles names it, gh api orgs/${name.split('/')[0]} --jq .id its owner`,
};

/** The same of the people whom policies ask for a second factor, and who ask for rights. */
async function pinOwners(db: Db, { file, lock }: Version, since: Date, anew: readonly string[]) {
  const logins = new Set([
    ...Object.values(file.policies).flatMap(({ needs }) => needs.mfa?.owners ?? []),
    ...Object.values(file.people).flatMap(({ who, approvedBy }) => [...who, ...approvedBy]),
  ]);
  const people: LockFile['people'] = {};
  const lines: string[] = [];
  let isWhole = true;
  for (const login of [...logins].sort()) {
    const [known, told] = [lock.people[login], await idOfAccount(db, login, since)];
    const isOther = known !== undefined && told !== undefined && known.id !== told;
    if (isOther && !anew.includes(login)) {
      lines.push(
        `${login} is pinned as account ${known.id}, and what was received last is of account ${told}: another one bears the login. If that is right, say --anew ${login}`,
      );
      isWhole = false;
    }
    const id = isOther && anew.includes(login) ? told : (known?.id ?? told);
    if (id === undefined) {
      lines.push(`${login}: nothing that they did was received; \`tripline events --actor ${login}\` lists what was`);
      isWhole = false;
      continue;
    }
    people[login] = { id };
    if (id !== known?.id) lines.push(`${login} is account ${id}`);
  }
  return { people, lines, isWhole };
}

async function idOfAccount(db: Db, login: string, since: Date): Promise<string | undefined> {
  for (const { data } of await listReceived(db, { since, actor: login, limit: 100 })) {
    const { 'user.id': id, 'vcs.provider.name': provider } = (data ?? {}) as Attributes;
    if (id !== undefined && (provider ?? 'github') === 'github') return id;
  }
  return undefined;
}

const said = ({ id, owner }: { id: string; owner: string }): string => `${id} of owner ${owner}`;

async function idsOf(db: Db, repository: string, since: Date): Promise<{ id: string; owner: string } | undefined> {
  for (const { data } of await listReceived(db, { since, repository, limit: 100 })) {
    const { 'vcs.repository.id': id, 'vcs.owner.id': owner } = (data ?? {}) as Attributes;
    if (id !== undefined && owner !== undefined) return { id, owner };
  }
  return undefined;
}
