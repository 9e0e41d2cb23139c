import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitingBreaches } from './breaches.ts';
import { scenarios } from './registry.ts';
import { type Cast, firstExpected, type Scenario } from './scenario.ts';

/** BREACHES.md, from the registry: a test holds the page against it. */
export function renderBreaches(): string {
  const replayed = scenarios.filter(({ breach }) => breach !== undefined);
  const sorted = replayed.toSorted((a, b) => a.breach!.number - b.breach!.number);
  const weaknesses = scenarios.filter(({ breach }) => breach === undefined);
  return `# Breaches

What \`tripline attack --all\` plays: breaches as their victims' feeds would have shown them, each with the event at which
something must be found first, and with an honest twin, the same people doing the honest version of the same work, on which
nothing may be found. Public write-ups rarely show logs, so the order of events is reconstructed from them. Written by
\`npm run docs\`.

| # | breach | began | scenario | found first, at | by |
|---|---|---|---|---|---|
${sorted.map(row).join('\n')}

Weaknesses that stand for no one breach:

| scenario | what happens | found first, at | by |
|---|---|---|---|
${weaknesses.map(weaknessRow).join('\n')}

Not played, since no feed that is read yet tells of them:

| # | breach | began | waits for |
|---|---|---|---|
${waitingBreaches.map(({ number, name, date, waitsFor }) => `| ${number} | ${name} | ${date} | ${waitsFor} |`).join('\n')}

${sorted.map(story).join('\n\n')}
`;
}

/** Any cast: what is said of a step does not depend on it. */
const cast: Cast = { organization: 'tripline-drill-page', startMs: 0, seed: 1 };

function row(scenario: Scenario): string {
  const { number, name, date } = scenario.breach!;
  const { says, rule } = firstOf(scenario);
  return `| ${number} | ${name} | ${date} | \`${scenario.id}\` | ${says} | \`${rule}\` |`;
}

function weaknessRow(scenario: Scenario): string {
  const { says, rule } = firstOf(scenario);
  return `| \`${scenario.id}\` | ${scenario.title} | ${says} | \`${rule}\` |`;
}

function firstOf(scenario: Scenario): { says: string; rule: string } {
  const { rule, decidingStep } = firstExpected(scenario);
  const { says, event } = scenario.attack(cast).find(({ name }) => name === decidingStep)!;
  return { says: `${says} (\`${event}\`)`, rule };
}

function story({ breach, narrative, sources }: Scenario): string {
  const links = sources.map(({ title, url }) => `[${title}](${url})`).join(' · ');
  return `## ${breach!.number}. ${breach!.name}\n\n${narrative}\n\n${links}`;
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, 'BREACHES.md'), renderBreaches());
