import { isAsGraveAs } from '@tripline/contracts/finding';
import { pagesFrom } from '@tripline/rules/defaults';
import { type Hidden, isOfBreach, outcomesOf } from './breaches.ts';
import type { Found, Judged } from './judge.ts';
import type { Played } from './play.ts';
import type { World } from './world.ts';

/** What a month must hold at least, at full size: less of a kind proves nothing of it. */
export const mustHold: readonly [label: string, atLeast: number][] = [
  ['landings by bots', 600],
  ['reviews by private members', 300],
  ['updated branches', 100],
  ['releases', 60],
  ['hotfixes pushed straight to main', 20],
  ['joiners', 15],
  ['leavers', 8],
  ['runner pools rebuilt', 3],
  ['on-call grants through the granting workflow', 40],
  ['repositories renamed', 2],
  ['outages of the provider with redeliveries', 1],
];
export const leastLandings = 4000;

/**
 * A hotfix goes to a protected branch past its protection, and some default branches require no review: to say so, of these once each,
 * is what rules are for, as of the acts that the month names.
 */
const isMeant = ({ finding }: Found, { commits, meant }: World): boolean =>
  finding.rule === 'default-branch-unprotected' ||
  commits.get(finding.subject.split('@')[1] ?? '')?.commit.message.startsWith('Hotfix') === true ||
  [finding.decidingEvent, ...finding.evidence.map(({ eventId }) => eventId)].some((id) => meant.has(id));
/** Whether it would have woken somebody, even where it was lowered or taken back afterwards. */
const pages = ({ told }: Found): boolean => told !== null && isAsGraveAs(told, pagesFrom);

/** What came of a month: what nobody should have heard of, whom it would have woken, and what would have been carried out. */
export function outcomeOf({ findings }: Judged, world: World) {
  const wrong = findings.filter(
    (found) => (found.became !== 'superseded' || found.told !== null) && !isMeant(found, world),
  );
  const standing = wrong.filter(({ became }) => became === 'stands');
  const acts = wrong.filter(
    (found) => pages(found) && found.finding.response.length > 0 && found.finding.confidence === 'high',
  );
  return { wrong, standing, paging: wrong.filter(pages), acts };
}

/** What was found in one month and not in the other, leaving out what is of the breaches. */
export function differenceOf(
  honest: Judged,
  breached: Judged,
  hidden: readonly Hidden[],
): { more: Found[]; fewer: Found[] } {
  const nameOf = ({ finding: { rule, subject }, became }: Found) => `${rule} ${subject} ${became}`;
  const [before, after] = [honest.findings, breached.findings.filter((found) => !isOfBreach(found, hidden))];
  const [known, now] = [new Set(before.map(nameOf)), new Set(after.map(nameOf))];
  return {
    more: after.filter((found) => !known.has(nameOf(found))),
    fewer: before.filter((found) => !now.has(nameOf(found))),
  };
}

/**
 * MONTH.md: what the month holds, what the rules made of it, and what that cost; and which breaches in it they found. `asItIs`: the
 * same month without them, null where it was not played: then what is found of ordinary work is what is of no breach.
 */
export function pageOf(
  breached: Played,
  asItIs: Played | null,
  of: { seed: number; size: number; days: number },
): string {
  const { world, rules, hidden } = breached;
  const findings = breached.judged.findings.filter((found) => !isOfBreach(found, hidden));
  const judged = asItIs?.judged ?? { ...breached.judged, findings };
  const { counts, organisation } = world;
  const landings = [...counts]
    .filter(([label]) => label.startsWith('landings, '))
    .reduce((sum, [, many]) => sum + many, 0);
  const recorded = [...world.records.values()].reduce((sum, many) => sum + many, 0);
  const { standing, paging, acts } = outcomeOf(judged, world);
  const byRule = Map.groupBy(judged.findings, ({ finding }) => finding.rule);
  const rows = [...byRule]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([rule, found]) => {
      const of = (wanted: Found['became']) => found.filter(({ became }) => became === wanted).length;
      const meant = found.filter((one) => isMeant(one, world)).length;
      return `| ${rule} | ${of('stands')} | ${of('retracted')} | ${of('superseded')} | ${meant} | ${found.filter((one) => pages(one) && !isMeant(one, world)).length} |`;
    });
  return `${[
    '# A month of ordinary work',
    '',
    `Written by \`npm run month -- --write\` (seed ${of.seed}, size ${of.size}, ${of.days} days). An organisation of ${organisation.people.length} people with ${organisation.repositories.length} repositories, told in ${judged.events.toLocaleString('en')} events: webhooks, signed, and ${recorded.toLocaleString('en')} records of the audit log, as its stream sends them; judged by ${rules.length} rules at their defaults, with a granting workflow named in the settings, GitHub’s API at hand, and an inventory imported on the first day.`,
    '',
    'Landing styles, bots, lead times, commits a change, changes of CI files and tags are drawn from the histories of eight public repositories, measured over two years (medians, shares and quantiles; no history is copied). Reviews, memberships, runners, access, joiners and leavers, hotfixes, renames and outages are invented, and so is how often anything happens that only the audit log tells; names, actions and fields are as documented. What both feeds tell is told by both.',
    '',
    '| it holds | |',
    '|---|---|',
    `| landings in all styles | ${landings} |`,
    ...[...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([label, many]) => `| ${label} | ${many} |`),
    '',
    '| audit records of | records | actions |',
    '|---|---|---|',
    ...familiesOf(world.records),
    '',
    `Nothing of it is an attack, so whatever is found is wrong, but for hotfixes, secrets pushed by mistake, a repository opened to everybody on purpose, and default branches that require no review, each told of once: what is found of these is meant, and so counted. Wanted: at most one wrong finding a day, none that pages, no wrong action. Measured: ${standing.length} wrong findings that stand, ${paging.length} that would have paged (some of them taken back later), ${acts.length} that would have been acted upon where the policy acts on high severity and high confidence.`,
    '',
    '| rule | stands | taken back | superseded | meant | would page wrongly |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    `State: ${judged.stateKeys.toLocaleString('en')} keys, ${(judged.stateBytes / 2 ** 20).toFixed(1)} MiB of JSON. Look-ups: ${judged.lookUps.toLocaleString('en')}. The engine took ${judged.cpuMicros.toFixed(0)} µs of CPU an event, in batches of half a second, as a detector that keeps up has them.`,
    '',
    ...breachesOf(breached, asItIs),
  ].join('\n')}\n`;
}

/** A row for each family of audit actions: how many records, and of which actions, the most usual first. */
function familiesOf(records: World['records']): string[] {
  const families = Map.groupBy(records, ([action]) => action.slice(0, action.indexOf('.')));
  return [...families]
    .map(([family, actions]) => ({
      ...{ family, records: actions.reduce((sum, [, many]) => sum + many, 0) },
      actions: [...actions].sort(([, a], [, b]) => b - a).map(([action]) => action.slice(family.length + 1)),
    }))
    .sort((a, b) => b.records - a.records)
    .map(
      ({ family, records: many, actions }) => `| ${family} | ${many.toLocaleString('en')} | ${actions.join(', ')} |`,
    );
}

/** The breaches in it: which were found, by what, and whether all else is as it was without them. */
function breachesOf(breached: Played, asItIs: Played | null): string[] {
  const outcomes = outcomesOf(breached.hidden, breached.judged.findings);
  const found = outcomes.filter(({ missed }) => missed.length === 0);
  return [
    '## Breaches hidden in it',
    '',
    `${outcomes.length} scenarios of \`packages/scenarios\`, each played once in the same organisation, at a moment drawn from the month’s second half, among its other deliveries. Their people, repositories and machines are in the inventory of the first day and have names of their own; what a playing shortens is at its default, so that its steps lie further apart. Found: ${found.length} of ${outcomes.length}, each by all rules that are to find it, at the event that decides it or earlier. ${besideOf(breached, asItIs)}`,
    '',
    '| breach | on | found by, at | also by | missed |',
    '|---|---|---|---|---|',
    ...outcomes.map(({ hidden: { scenario, cast }, found: by, missed }) => {
      const rulesAt = (wanted: boolean) =>
        by
          .filter(({ isExpected }) => isExpected === wanted)
          .map(({ rule, step }) => `${rule} (${step.name})`)
          .join(', ');
      const missing = missed.map(({ rule, decidingStep }) => `${rule} (${decidingStep})`).join(', ');
      return `| ${scenario.title} | ${new Date(cast.startMs).toISOString().slice(0, 16).replace('T', ' ')} | ${rulesAt(true)} | ${rulesAt(false)} | ${missing} |`;
    }),
  ];
}

/** Whether the breaches change anything of what is found beside them. */
function besideOf({ judged, hidden }: Played, asItIs: Played | null): string {
  if (asItIs === null)
    return 'It was played once, with them. That the rest is found as without them is held at the size of CI, where it is played twice.';
  const { more, fewer } = differenceOf(asItIs.judged, judged, hidden);
  const names = [...new Set([...more, ...fewer].map(({ finding }) => finding.rule))].join(', ');
  return names === ''
    ? 'Beside them the month finds the same as without them.'
    : `Beside them the month finds ${more.length} more and ${fewer.length} fewer than without them (${names}).`;
}
