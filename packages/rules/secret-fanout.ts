import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { inOwnOrder } from '@tripline/facts/bounds';
import { type JobSize, type SecretWorkflow, secretWorkflows } from '@tripline/facts/secret-workflows';
import { z } from 'zod';
import { conclusion } from './builders/conclusion.ts';
import { entitiesOfJob, handedLine, learnMs, responseToJob } from './secret-words.ts';

/** Twice doubled: more than twice as many as ever, and at most four times as many go unseen. */
const doublings = 2;

/**
 * The jobs that were given far more than any before, by their own times: what is found raises nothing, what is not found is
 * usual from then on. `usual`: the largest job that was usual until then.
 */
function leapsOf({ sizes }: SecretWorkflow, learnMs: number, atLeast: number): { leap: JobSize; usual: JobSize }[] {
  const leaps: { leap: JobSize; usual: JobSize }[] = [];
  const [first, ...others] = sizes.toSorted(inOwnOrder);
  let usual = first!;
  for (const one of others) {
    const isLearned = parseTime(one.time) - parseTime(first!.time) < learnMs;
    if (!isLearned && one.count >= atLeast && one.size >= usual.size + doublings) leaps.push({ leap: one, usual });
    else if (one.size > usual.size) usual = one;
  }
  return leaps;
}

export const rule = conclusion({
  id: 'secret-fanout',
  title: 'A job was given far more secrets than any before it',
  description:
    'A job was given at least `secrets` secrets, and more than twice as many as any earlier job of its workflow: a workflow that was changed to take all there are, as by `toJSON(secrets)` or `secrets: inherit`. ' +
    'How many are usual is learned per workflow, for `learnMs` from its first job; what is found is never learned. Numbers count by doublings, so up to four times as many may go unseen.',
  severity: 'medium',
  principles: [1],
  attack: ['T1552.001', 'T1677'],
  owasp: ['CICD-SEC-6', 'CICD-SEC-4'],
  feeds: { needs: ['github-audit'] },
  falseAlarms: [
    'A job that takes many and runs less often than every `learnMs`, such as a yearly release: medium for its sake.',
    'A workflow that begins to call another with `secrets: inherit`: name the secrets that it needs instead, or resolve it as accepted; it is told once.',
  ],
  limits: [
    'A workflow that is new: nothing is usual of it yet. What it was given is told by `secret-new-consumer`.',
    'A workflow that had as many before, whose steps were changed.',
    'Secrets taken a few at a time, by many jobs.',
  ],
  settings: {
    secrets: z.int().min(2).max(100).default(8),
    /** How long after its first job a workflow is learned, ms. */
    learnMs,
  },
  about: secretWorkflows,
  where: ({ sizes }) => sizes.length > 1,
  conclude: (of, { key, settings }) =>
    leapsOf(of, settings.learnMs, settings.secrets).map(({ leap, usual }) => {
      const secrets = of.handed.filter(({ eventId }) => eventId === leap.eventId).map(({ secret }) => secret);
      return {
        ...{ subject: of.workflow, occasion: `size ${leap.size}` },
        title: `A job of ${clip(of.workflow, 150)} was given ${leap.count} secrets at once`,
        summary: `Until then its jobs were given ${usual.count} at most. Of ${of.repository} it took ${secrets.length} that this workflow never had. What a job is given, whoever wrote its workflow has.`,
        because: [
          handedLine(key, of, usual, `${usual.count} secrets`),
          handedLine(key, of, leap, `${leap.count} secrets`),
        ],
        entities: entitiesOfJob(key, of, [leap]),
        response: responseToJob(key, of, [leap], secrets),
        remedy: [
          `Read what was changed in ${of.workflow}, by whom, and where its jobs sent anything.`,
          'If nobody answers for it: rotate every secret of the repository and those of its organisation that it may use.',
        ],
      };
    }),
});
