import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { credentials } from '@tripline/facts/credentials';
import { type Handed, secretWorkflows } from '@tripline/facts/secret-workflows';
import { z } from 'zod';
import { conclusion } from './builders/conclusion.ts';
import { entitiesOfJob, firstUseLine, handedLine, learnMs, responseToJob, secretKey } from './secret-words.ts';

export const rule = conclusion({
  id: 'secret-new-consumer',
  title: 'Secret given to a workflow that never had it',
  description:
    'A job was given a secret that other workflows of the repository have used for longer than `learnMs`, and its own workflow never had. Whoever may write a workflow file may have it print what it is given. ' +
    'All secrets that a workflow newly has within a day are one finding: low for a few, since workflows are split and renamed; medium from `many` on. ' +
    'Whether the commit was reviewed is said by `build-from-unreviewed-commit`, of the same run.',
  severity: 'medium',
  principles: [1],
  attack: ['T1552.001', 'T1677'],
  owasp: ['CICD-SEC-6', 'CICD-SEC-4'],
  feeds: { needs: ['github-audit'] },
  falseAlarms: [
    'A workflow that was renamed, split or newly written: low, and told once; resolve it as false.',
    'A workflow that runs less often than every `learnMs`, after Tripline began to listen: raise it.',
  ],
  limits: [
    'What a job did with a secret: the audit log tells what it was given.',
    'A secret that is used first by whoever steals it, or within `learnMs` of its first use.',
    'A workflow that had the secret before and was changed: its file is read by `build-from-unreviewed-commit`.',
    'A repository that is renamed begins anew, since secrets are told by its name.',
  ],
  settings: {
    /** How long a secret is known before its users are settled, ms. */
    learnMs,
    /** From so many secrets within a day on it is medium. */
    many: z.int().min(2).max(100).default(5),
  },
  about: secretWorkflows,
  uses: [credentials],
  conclude(of, { key, settings, watch }) {
    const news = of.handed.flatMap((sight) => {
      const credential = watch(credentials, secretKey(key, of, sight.secret));
      const first = credential?.firstUse;
      if (first === undefined || first.workflow === of.workflow) return [];
      const isLearned = parseTime(sight.time) - parseTime(first.time) >= settings.learnMs;
      return isLearned ? [{ sight, credential: credential! }] : [];
    });
    const byDay = Map.groupBy(news, ({ sight }) => sight.time.slice(0, 10));
    return [...byDay].map(([day, those]) => {
      const secrets = those.map(({ sight }) => sight.secret);
      const sights: readonly Handed[] = those.map(({ sight }) => sight);
      const few = secrets.slice(0, 5).join(', ') + (secrets.length > 5 ? ` and ${secrets.length - 5} others` : '');
      const severity = secrets.length >= settings.many ? ('medium' as const) : ('low' as const);
      return {
        ...{ subject: of.workflow, occasion: day, severity },
        title: `A job of ${clip(of.workflow, 150)} was given ${secrets.length === 1 ? 'a secret' : `${secrets.length} secrets`} that it never had`,
        summary: `It was given ${few} of ${of.repository}, which other workflows have used until now. Whoever wrote this workflow has what it is given.`,
        because: those
          .slice(0, 10)
          .flatMap(({ sight, credential }) => [
            handedLine(key, of, sight, sight.secret),
            firstUseLine(key, of, credential, sight.secret),
          ]),
        entities: entitiesOfJob(key, of, sights),
        response: severity === 'low' ? [] : responseToJob(key, of, sights, secrets),
        remedy: [
          `Read who wrote ${of.workflow}, and what it does with ${few}.`,
          'Keep secrets in an environment that only protected branches may use: then a new workflow has none.',
        ],
      };
    });
  },
});
