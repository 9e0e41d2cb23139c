import {
  type Standing,
  type StandingGap,
  type StandingKind,
  type StandingLook,
  standingKinds,
} from '@tripline/access/standing';
import type { GitHubClient } from '../client.ts';
import { type ListedRepository, listRepositories } from '../inventory.ts';
import { readApps, readAuthorizedCredentials, readFineGrainedTokens, readSubjectTemplate } from './credentials.ts';
import { createLook, isLimited, type Look } from './look.ts';
import { readMachines } from './machines.ts';
import {
  addOutsiders,
  type Outsiders,
  readOrganizationRights,
  readOrganizationRoles,
  readPeople,
  readTeams,
} from './people.ts';
import { readRepository } from './repository.ts';
import { readOrganizationSecrets } from './secrets.ts';

/** What the whole look takes, all of it read-only. An App that has less is asked for what it has; the rest are gaps. */
export const standingPermissions = {
  actions: 'read',
  administration: 'read',
  dependabot_secrets: 'read',
  environments: 'read',
  members: 'read',
  metadata: 'read',
  organization_administration: 'read',
  organization_custom_org_roles: 'read',
  organization_dependabot_secrets: 'read',
  organization_personal_access_tokens: 'read',
  organization_secrets: 'read',
  organization_self_hosted_runners: 'read',
  secrets: 'read',
} as const;

const everyKind = Object.keys(standingKinds) as StandingKind[];
const mostRepositories = 2000;
const repositoriesAtOnce = 8;

export type StandingReader = {
  onProgress?: (progress: { repositories: number; of: number }) => void;
  /** Only these, by full name; the organisation's own rows are read all the same. */
  repositories?: readonly string[];
};

/**
 * Reads what stands in `organization`: everything that somebody could use at any hour. A part that may not be read, or that GitHub does
 * not have here, is a gap, and so is what a used up rate limit leaves unread; the rest is told all the same.
 * @throws {GitHubRefusedError} {@link NoAnswerError}
 */
export async function readStanding(
  client: GitHubClient,
  organization: string,
  { onProgress = () => {}, repositories: named }: StandingReader = {},
): Promise<StandingLook> {
  const rows = new Map<string, Standing>();
  const look = createLook(client, organization, (one) => rows.set(one.id, one));
  const unread: StandingGap[] = [];
  const outsiders: { known: Outsiders } = { known: new Map() };
  const parts: readonly (() => Promise<void>)[] = [
    () => readFineGrainedTokens(look),
    () => readAuthorizedCredentials(look),
    () => readApps(look),
    () => readSubjectTemplate(look),
    () => readOrganizationRights(look),
    async () => {
      outsiders.known = await readPeople(look);
    },
    () => readTeams(look),
    () => readOrganizationRoles(look),
    () => readMachines(look),
    () => readOrganizationSecrets(look),
    () => readRepositories(look, { outsiders: outsiders.known, named, onProgress }, unread),
  ];
  for (const [nth, part] of parts.entries()) {
    try {
      await part();
    } catch (error) {
      if (!isLimited(error)) throw error;
      if (unread.length === 0) unread.push(limited(`${parts.length - nth} of ${parts.length} parts`));
      break;
    }
  }
  addOutsiders(look, outsiders.known);
  return { rows: [...rows.values()], gaps: [...look.gaps(), ...unread] };
}

async function readRepositories(
  look: Look,
  {
    outsiders,
    named,
    onProgress,
  }: {
    outsiders: Outsiders;
    named: readonly string[] | undefined;
    onProgress: NonNullable<StandingReader['onProgress']>;
  },
  unread: StandingGap[],
): Promise<void> {
  const listed = await listRepositories(look.client, look.organization, mostRepositories + 1);
  const isNamed = ({ full_name }: ListedRepository) =>
    named === undefined || named.some((one) => one.toLowerCase() === full_name.toLowerCase());
  const all = listed.filter(isNamed);
  const read = all.slice(0, mostRepositories);
  if (all.length > read.length)
    unread.push({
      what: `repositories beyond the ${mostRepositories} last pushed to`,
      why: 'a look at more takes longer than GitHub’s allowance of an hour',
      remedy: 'name them by --repository',
      kinds: everyKind,
    });
  for (let at = 0; at < read.length; at += repositoriesAtOnce) {
    onProgress({ repositories: at, of: read.length });
    const some = read.slice(at, at + repositoriesAtOnce);
    const done = await Promise.allSettled(
      some.map(({ full_name, id }) => readRepository(look, { name: full_name, id: String(id) }, outsiders)),
    );
    const failure = done.find((one) => one.status === 'rejected');
    if (failure === undefined) continue;
    if (isLimited(failure.reason)) unread.push(limited(`${read.length - at} of ${read.length} repositories`));
    throw failure.reason;
  }
  onProgress({ repositories: read.length, of: read.length });
}

const limited = (what: string): StandingGap => ({
  ...{ what, why: 'GitHub’s allowance of requests is used up' },
  remedy: 'look again within an hour, or name repositories by --repository',
  kinds: everyKind,
});
