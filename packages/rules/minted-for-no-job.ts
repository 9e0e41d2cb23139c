import { hashIn, mintedCredentials } from '@tripline/facts/minted-credentials';
import { type Run, runs } from '@tripline/facts/runs';
import { z } from 'zod';
import { conclusion } from './builders/conclusion.ts';
import { credentialEntity, endingAccessOfMint, entitiesOfMint, mintLine, runOf } from './minted-words.ts';

const attemptsOf = (run: unknown): number => (run as Run | undefined)?.attempts.length ?? 0;

export const rule = conclusion({
  id: 'minted-for-no-job',
  title: 'Credential minted for a run of which the CI told nothing',
  description:
    'The access broker minted a credential for a job whose id token names a run, and `withinMs` later no webhook had told of that attempt of it. Either the feed is silent, or somebody has tokens signed for runs that do not exist. ' +
    'One that is told later takes the finding back.',
  severity: 'medium',
  principles: [2, 5],
  attack: ['T1606.002', 'T1550.001'],
  owasp: ['CICD-SEC-2'],
  feeds: { needs: ['access'] },
  falseAlarms: [
    'Webhooks that come later than `withinMs`, or not at all: the finding is then of the feed. `tripline doctor` says which.',
  ],
  limits: [
    'Of which job of the run it was: a webhook of the run itself suffices.',
    'Other issuers than GitHub, whose feeds are not heard yet.',
  ],
  settings: { withinMs: z.int().min(1000).max(86_400_000).default(600_000) },
  about: mintedCredentials,
  uses: [runs],
  where: ({ mints }) => mints.length > 0,
  // Whether it is known at all, or a further attempt of it.
  matters: ({ fact, before, value }) => fact !== runs.id || attemptsOf(before) !== attemptsOf(value),
  conclude({ mints }, { key, settings, nowMs, recheckAt, read, watch, explain }) {
    if (hashIn(key) !== undefined) return [];
    const [mint] = mints;
    if (mint?.run === undefined) return [];
    const { run } = mint;
    const isTold = (known: Run | undefined) =>
      known !== undefined &&
      (run.attempt === undefined || known.attempts.some(({ attempt }) => attempt === run.attempt));
    const dueMs = mint.heardMs + settings.withinMs;
    // Nearly every run is told: it is looked at once, and watched only where it is not there then.
    if (nowMs < dueMs) {
      recheckAt(dueMs);
      return [];
    }
    if (isTold(read(runs, run.key))) {
      explain('the CI told of its run');
      return [];
    }
    watch(runs, run.key);
    return [
      {
        ...{ subject: `access:${mint.grant}`, occasion: run.key },
        title: `A ${mint.kind} credential was minted ${runOf(mint)}, of which the CI told nothing`,
        summary: `The broker gave it at ${mint.time} by policy ${mint.policy}. ${Math.ceil(settings.withinMs / 60_000)} minutes later no webhook had told of attempt ${run.attempt ?? 1} of that run.`,
        because: [mintLine(key, mint)],
        entities: [...(mint.hash === undefined ? [] : [credentialEntity(mint.hash)]), ...entitiesOfMint(mint)],
        response: endingAccessOfMint(mint),
        remedy: [
          'Look at the provider whether the run exists. If it does, webhooks are missing: `tripline doctor`.',
          'If it does not, end the grant (`tripline access revoke`), close its policy, and ask who can have tokens signed in that issuer’s name.',
        ],
      },
    ];
  },
});
