import { clip } from '@tripline/contracts/text';
import { msBetween } from '@tripline/contracts/time';
import { keyOf, repositoryKeyOf } from '@tripline/facts/things';
import { fromFacts } from './builders/from-facts.ts';
import { isPackage, type Publication, publicationIn, publicationSchema, publishedByHand } from './published.ts';

const dayMs = 86_400_000;
/** What is usual is seen by so many of the latest publications, of which so few may be a person's. */
const lookedAt = 10;
const leastUsual = 3;
const mostByPeople = 1;
/** What one person publishes within this is one act: a set of packages, or one version after another. */
const togetherMs = dayMs;
const bound = { perAuthor: 120, most: 360 };
export const rule = fromFacts({
  id: 'publish-without-run',
  title: 'Published by hand what runs publish',
  description:
    `A person published a version of a package, or a release, of which runs and apps published the latest ${leastUsual} to ${lookedAt} (of ten one may have been a person’s): a stolen token publishes so, past every check of the pipeline. ` +
    'High for a package, medium for a release. What one person publishes within a day is one finding. Where people usually publish, nothing is found.',
  severity: 'high',
  principles: [3],
  attack: ['T1195.002'],
  owasp: ['CICD-SEC-9'],
  falseAlarms: [
    'A maintainer who releases by hand because the pipeline is broken: resolve it as accepted, or an exception for them.',
    'A pipeline that from now on publishes with a person’s token: it is found twice, and is usual then. A token of an app ends it.',
  ],
  limits: [
    'Versions that are published at a registry outside of the provider, such as npm or PyPI: their feeds would tell.',
    'Whether the run that published was of a protected ref: of what a run publishes, `build-from-unreviewed-commit` asks that.',
    'Packages and releases of which fewer than three publications were received, or whose pipeline uses a person’s token.',
  ],
  on: ['dev.cdevents.artifact.published', 'dev.cdeventsx.tripline-release.published'],
  settings: {},
  keepMs: 400 * dayMs,
  key(event) {
    const repository = repositoryKeyOf(event);
    const { 'tripline.package.name': name } = event.data;
    if (!isPackage(event)) return repository === undefined ? undefined : `${repository}^releases`;
    // A package of an organisation need not belong to a repository.
    return `${repository ?? keyOf(event, `owner:${event.data['vcs.owner.name'] ?? ''}`)}^package ${clip(name!, 200)}`;
  },
  observe: (event) => ({ kind: 'publications', data: publicationIn(event) }),
  data: publicationSchema,
  bounds: { publications: bound },
  tell: ({ by, data: { what, name, version } }) => `${by.name} published ${what} ${name} ${version}`.trim(),
  conclude(sights, { key, explain }) {
    const found = new Map<string, Publication[]>();
    for (const [place, one] of sights.entries()) {
      if (one.data.byApp) continue;
      const isOfSameAct = (other: Publication) => other.by.id === one.by.id && msBetween(other, one) <= togetherMs;
      const before = sights
        .slice(0, place)
        .filter((other) => !isOfSameAct(other))
        .slice(-lookedAt);
      const byPeople = before.filter(({ data }) => !data.byApp).length;
      if (before.length - byPeople < leastUsual || byPeople > mostByPeople) {
        explain(`people published ${byPeople} of the ${before.length} before it`);
        continue;
      }
      const first = [...found.values()].find(
        ([other]) => other!.by.id === one.by.id && msBetween(other!, one) <= togetherMs,
      );
      if (first !== undefined) first.push(one);
      else found.set(one.eventId, [one]);
    }
    return [...found].map(([occasion, those]) => publishedByHand(occasion, those, sights, key));
  },
});
