import { type Client, clone, type Token } from './audit-records.ts';
import { inventory } from './baseline.ts';
import { createStage } from './github-bodies.ts';
import { resolvedAsRotated } from './people.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const bot = 'observe-automation';
const operator = 'kim-security';
const old: Token = { name: 'of the automation', type: 'Personal access token (classic)' };
const fresh: Token = { name: 'of the automation, made anew', type: 'Personal access token (classic)' };
const runner: Client = { address: '192.0.2.200', country: 'US', agent: 'git/2.47.1' };
const thief: Client = { address: '203.0.113.222', country: 'NL', agent: 'python-requests/2.32' };
const dayMs = 86_400_000;
const repositories = ['alerting-private', 'billing', 'cloud-features', 'deployment', 'incident-tools', 'licences'];

/** What the token did in builds until now, by which is known from where it is used. */
function ordinaryWeeks(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  return [21, 14, 7, 2].map((daysAgo, nth) =>
    clone(
      stage,
      { name: `usual-${nth + 1}`, says: `a build had cloned with it, ${daysAgo} days ago`, atMs: 50 * nth },
      { by: bot, token: old, from: runner, repository: 'deployment', doneAtMs: -daysAgo * dayMs },
    ),
  );
}

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  return [
    ...ordinaryWeeks(cast),
    clone(
      stage,
      {
        name: 'stolen',
        says: 'a token that a poisoned package had found on a runner was tried from elsewhere',
        atMs: 500,
      },
      { by: bot, token: old, from: thief, repository: 'deployment' },
    ),
    resolvedAsRotated(
      stage,
      { name: 'rotated', says: `${operator} resolved it as true: all tokens are rotated`, atMs: 1800 },
      { by: operator, token: old },
    ),
    ...repositories.map((repository, nth) =>
      clone(
        stage,
        {
          name: `clone-${nth + 1}`,
          says: `with the one token that was missed, ${repository} was cloned`,
          atMs: 4500 + 100 * nth,
        },
        { by: bot, token: old, from: thief, repository },
      ),
    ),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  return [
    ...ordinaryWeeks(cast),
    ...repositories.map((repository, nth) =>
      clone(
        stage,
        {
          name: `clone-${nth + 1}`,
          says: `with the token made anew, a build cloned ${repository}`,
          atMs: 500 + 200 * nth,
        },
        { by: bot, token: fresh, from: runner, repository },
      ),
    ),
  ];
}

export const missedToken: Scenario = {
  id: 'missed-token',
  title: 'Grafana, May 2026: one token missed in a rotation',
  breach: { number: 28, name: 'Grafana, a token missed in a rotation', date: '2026-05-11' },
  narrative:
    'Poisoned TanStack packages ran on self-hosted runners of Grafana Labs and took what credentials lay there. The company noticed the same day and rotated them, all but one that nobody had on the list. Five days later that one cloned its repositories, private ones among them. ' +
    'Played with the first use of the token by the thief, which people resolve as true and done with; what the write-ups do not say is by which token.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'Post-incident review for TanStack npm supply chain ransom incident, summarised',
      url: 'https://sysdesign-wiki.pages.dev/sources/2026-06-24-grafana-post-incident-review-tanstack-npm-supply-chain-ransom/',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories,
      members: [{ login: bot, role: 'member' }],
      // Shortened from ten minutes, so that a playing takes seconds.
      settings: { 'revoked-credential-still-live': { graceMs: 500 } },
    }),
  attack,
  benign,
  expects: [
    { rule: 'credential-context-drift', decidingStep: 'stolen', responses: ['revoke-credential'], before: true },
    { rule: 'revoked-credential-still-live', decidingStep: 'clone-1', responses: ['revoke-credential'] },
  ],
};
