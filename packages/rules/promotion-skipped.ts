import { inSmallLetters } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { breakGlass, recordsKeysOf } from '@tripline/facts/break-glass';
import { environmentPromotions, promotedAt, promotionKey } from '@tripline/facts/environment-promotions';
import { commitKeyIn, repositoryKeyOf } from '@tripline/facts/things';
import { z } from 'zod';
import { fromFacts } from './builders/from-facts.ts';
import { accountOf, type Deployed, deployedBy, deployedSchema, skipped, stateOf } from './deployed.ts';
import { isAmong, mayBeAmong } from './environment-names.ts';

/** How long staging's success may be received after production's beginning, and how far their clocks may differ. */
const settleMs = 2 * 60_000;
const skewMs = 60_000;
const bound = { perAuthor: 100, most: 300 };
const names = z.array(z.string().min(1).max(200)).max(100).default([]);
export const rule = fromFacts({
  id: 'promotion-skipped',
  title: 'Deployed to production without staging',
  description:
    'A commit was deployed to an environment, and no deployment of it to one that comes before had succeeded until then: nobody has seen it run. Which come before, the policies of access say, where one is for the repository and environment: those of the tiers that each of them names as `promotedFrom`, and none where one names no tier. ' +
    'Of all other environments the settings say it: those of `staging` before those of `production`, of all repositories that have one of each. It finds nothing until either says so. A deployment is held against the policies that were in force when it began. A commit that somebody deploys under a break-glass record of theirs is in order.',
  severity: 'high',
  principles: [4],
  attack: ['T1677'],
  owasp: ['CICD-SEC-1'],
  untilConfigured: {
    does: 'nothing',
    why: 'Only you know which environments come before which: `promotedFrom` of the policies of access or, where none is for a repository, `production` and `staging`.',
  },
  falseAlarms: [
    'Hotfixes that go straight to production: a break-glass record of who deploys, sent before.',
    'Repositories without a staging of their own: an exception for the repository.',
    'What is built anew for production from another commit, as of a release branch: an exception for the repository.',
  ],
  limits: [
    'Deployments that are not told to the provider, such as those of a GitOps controller without a deployment’s record.',
    'Whether what ran in staging was built of the commit that it says: an attestation would tell.',
    'A broker that never said from where its policies promote: then the settings say what comes before.',
  ],
  feeds: {
    needs: ['github'],
    better: { access: 'tells which environments come before which, by the policies in force' },
  },
  on: [
    'dev.cdeventsx.tripline-deployment.requested',
    'dev.cdeventsx.tripline-deployment.changed',
    'dev.cdevents.service.deployed',
  ],
  settings: { production: names, staging: names },
  keepMs: 90 * 86_400_000,
  uses: [breakGlass, environmentPromotions],
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
  conclude(sights, { key, settings, nowMs, read, watch, recheckAt, explain }) {
    const repository = key.slice(0, key.lastIndexOf('@'));
    const before = (environment: string, beganMs: number): readonly string[] => {
      const told = promotedAt(watch(environmentPromotions, promotionKey(repository, environment)), beganMs);
      // Staging may differ from production in accents alone.
      const isAfter = (isAmong(settings.staging, environment) ? isAmong : mayBeAmong)(settings.production, environment);
      return told ?? (isAfter ? settings.staging : []);
    };
    const judge = (all: readonly Deployed[]) => {
      const first = all[0]!;
      const beganMs = parseTime(first.time);
      const stages = before(first.data.environment, beganMs);
      if (stages.length === 0) return [];
      const tried = sights.filter(({ data }) => data.state === 'success' && isAmong(stages, data.environment));
      // Where runs deploy to production, runs deploy to staging too, and what somebody says by hand is no proof.
      const proofs = tried.filter(({ data }) => first.data.run === undefined || !data.byHand);
      if (proofs.some(({ time }) => parseTime(time) <= beganMs + skewMs)) {
        explain('its deployment to one that comes before had succeeded');
        return [];
      }
      const records = recordsKeysOf(accountOf(first)).flatMap((one) => read(breakGlass, one)?.records ?? []);
      if (records.some(({ fromMs, toMs }) => fromMs <= first.heardMs && first.heardMs <= toMs)) {
        explain('a break-glass record of whoever deployed it');
        return [];
      }
      const dueMs = Math.min(...all.map(({ heardMs }) => heardMs)) + settleMs;
      if (nowMs < dueMs) {
        recheckAt(dueMs);
        return [];
      }
      return [skipped(first, { key, stages, tried: proofs })];
    };
    // A status may name another environment than its deployment: whichever of them goes past what comes before is found.
    return [...Map.groupBy(sights, ({ data }) => data.id).values()].flatMap((all) =>
      [...Map.groupBy(all, ({ data }) => inSmallLetters(data.environment)).values()].flatMap(judge).slice(0, 1),
    );
  },
});
