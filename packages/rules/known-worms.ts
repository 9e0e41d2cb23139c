/**
 * What worms call the repositories in which they leave what they stole, and the machines that they register: facts from public
 * write-ups, the first of which each entry names. A name or description that only malware bears; case counts in none.
 */
export type Worm = {
  name: string;
  /** When it was first seen, and where that is said. */
  since: string;
  sources: readonly [string, ...string[]];
  /** Names of repositories; a number may follow (`-1`). */
  repositories: readonly string[];
  /** How names of repositories begin, where what follows is chance. */
  prefixes?: readonly string[];
  /** How descriptions of repositories begin. */
  descriptions: readonly string[];
  /** Names of self-hosted runners. */
  runners: readonly string[];
};

export const worms: readonly Worm[] = [
  {
    ...{ name: 's1ngularity', since: '2025-08', sources: ['Advisory on Nx, GHSA-cxm3-wv7p-598c'] },
    ...{
      repositories: ['s1ngularity-repository'],
      prefixes: ['s1ngularity-repository-'],
      descriptions: [],
      runners: [],
    },
  },
  {
    ...{ name: 'Shai-Hulud', since: '2025-09', sources: ['CISA alert on the npm ecosystem, 2025-09-23'] },
    ...{ repositories: ['Shai-Hulud'], descriptions: ['Shai-Hulud Migration', 'Shai-Hulud Repository'], runners: [] },
  },
  {
    ...{ name: 'Shai-Hulud 2.0', since: '2025-11' },
    sources: ['Panther, rule GitHub.Webhook.Sha1HuludRepoCreated', 'Issue 8906 of public-ui/kolibri, 2025-11-25'],
    ...{ repositories: ['Sha1-Hulud'], descriptions: ['Sha1-Hulud: ', 'Shai-Hulud: '], runners: ['SHA1HULUD'] },
  },
  {
    ...{ name: 'Shai-Hulud 3', since: '2025-12', sources: ['Checks of Cobenian/shai-hulud-detect'] },
    ...{ repositories: [], descriptions: ['Goldox-T3chs: Only Happy Girl'], runners: [] },
  },
  {
    ...{
      name: 'Mini Shai-Hulud',
      since: '2026-04',
      sources: ['Tenable, questions about the TeamPCP campaign, 2026-05'],
    },
    ...{ repositories: [], runners: [] },
    descriptions: ['A Mini Shai-Hulud has Appeared', 'niagA oG eW ereH :duluH-iahS', 'Miasma: The Spreading Blight'],
  },
];

const lower = (of: (worm: Worm) => readonly string[]): readonly string[] =>
  worms.flatMap(of).map((one) => one.toLowerCase());
const repositories = new Set(lower((worm) => worm.repositories));
const prefixes = lower((worm) => worm.prefixes ?? []);
const descriptions = lower((worm) => worm.descriptions);

/** Whether only malware calls a repository so. `name`: without its owner. */
export function isOfWorm(name: string, description: string): boolean {
  const low = name.toLowerCase();
  const plain = low.replace(/-\d{1,6}$/, '');
  const said = description.trim().toLowerCase();
  return (
    repositories.has(plain) ||
    prefixes.some((begins) => low.startsWith(begins)) ||
    descriptions.some((begins) => said.startsWith(begins))
  );
}

/** Names of self-hosted runners that only malware gives, in lower case. */
export const runnersOfWorms: readonly string[] = lower((worm) => worm.runners);
