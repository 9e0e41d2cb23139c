import { parseTime } from '@tripline/contracts/time';
import { breakGlass, recordsKeysOf } from '@tripline/facts/break-glass';
import { commitKeyIn, repositoryKeyOf } from '@tripline/facts/things';
import { z } from 'zod';
import { fromFacts } from './builders/from-facts.ts';
import { type Deployed, deployedBy, deployedSchema, skipped, stateOf } from './deployed.ts';

/** How long staging's success may be received after production's beginning, and how far their clocks may differ. */
const settleMs = 2 * 60_000;
const skewMs = 60_000;
const bound = { perAuthor: 100, most: 300 };
const names = z.array(z.string().min(1).max(200)).max(100).default([]);
export const rule = fromFacts({
  id: 'promotion-skipped',
  title: 'Deployed to production without staging',
  description:
    'A commit was deployed to an environment of `production` and no deployment of it to one of `staging` had succeeded until then: nobody has seen it run. Both lists are names of environments, of all repositories that have one of each. ' +
    'It finds nothing until they are set. A commit that somebody deploys under a break-glass record of theirs is in order.',
  severity: 'high',
  principles: [4],
  attack: ['T1677'],
  owasp: ['CICD-SEC-1'],
  untilConfigured: {
    does: 'nothing',
    why: 'Only you know which environments come before which: `production`, `staging`.',
  },
  falseAlarms: [
    'Hotfixes that go straight to production: a break-glass record of who deploys, sent before.',
    'Repositories without a staging of their own: an exception for the repository.',
    'What is built anew for production from another commit, as of a release branch: an exception for the repository.',
  ],
  limits: [
    'Deployments that are not told to the provider, such as those of a GitOps controller without a deployment’s record.',
    'Whether what ran in staging was built of the commit that it says: an attestation would tell.',
  ],
  on: [
    'dev.cdeventsx.tripline-deployment.requested',
    'dev.cdeventsx.tripline-deployment.changed',
    'dev.cdevents.service.deployed',
  ],
  settings: { production: names, staging: names },
  keepMs: 90 * 86_400_000,
  uses: [breakGlass],
  key(event) {
    const { 'vcs.ref.head.revision': revision, 'deployment.id': id } = event.data;
    const repository = repositoryKeyOf(event);
    if (repository === undefined || revision === undefined || id === undefined || stateOf(event) === undefined) return;
    return commitKeyIn(repository, revision);
  },
  observe: (event) => ({ kind: 'deployments', data: deployedBy(event) }),
  data: deployedSchema,
  bounds: { deployments: bound },
  tell: ({ by, data: { environment, revision, state } }) =>
    `${by.name}’s deployment of ${revision.slice(0, 12)} to ${environment} ${state === 'success' ? 'succeeded' : 'began'}`,
  conclude(sights, { key, settings, nowMs, read, recheckAt, explain }) {
    const isIn = (tier: readonly string[]) => {
      const lower = new Set(tier.map((name) => name.toLowerCase()));
      return ({ data }: Deployed) => lower.has(data.environment.toLowerCase());
    };
    const tried = sights.filter(isIn(settings.staging)).filter(({ data }) => data.state === 'success');
    const byDeployment = Map.groupBy(sights.filter(isIn(settings.production)), ({ data }) => data.id);
    return [...byDeployment.values()].flatMap((all) => {
      const first = all[0]!;
      if (settings.staging.length === 0) return [];
      const beganMs = parseTime(first.time);
      // Where runs deploy to production, runs deploy to staging too, and what somebody says by hand is no proof.
      const proofs = tried.filter(({ data }) => first.data.run === undefined || !data.byHand);
      if (proofs.some(({ time }) => parseTime(time) <= beganMs + skewMs)) {
        explain('its deployment to staging succeeded before');
        return [];
      }
      const account = {
        login: first.by.name,
        ...(first.by.id === first.by.name.toLowerCase() ? {} : { id: first.by.id }),
      };
      const records = recordsKeysOf(account).flatMap((one) => read(breakGlass, one)?.records ?? []);
      if (records.some(({ fromMs, toMs }) => fromMs <= first.heardMs && first.heardMs <= toMs)) {
        explain('a break-glass record of whoever deployed it');
        return [];
      }
      const dueMs = Math.min(...all.map(({ heardMs }) => heardMs)) + settleMs;
      if (nowMs < dueMs) {
        recheckAt(dueMs);
        return [];
      }
      return [skipped(first, key, proofs)];
    });
  },
});
