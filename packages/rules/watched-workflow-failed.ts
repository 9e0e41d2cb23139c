import type { Attributes } from '@tripline/contracts/attributes';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { match } from './builders/match.ts';
import { repositoryOf } from './builders/seen.ts';

export const rule = match({
  id: 'watched-workflow-failed',
  title: 'A workflow that is watched failed',
  description:
    'A run of one of `workflows` failed: scanners, mirrors and other workflows of which somebody must know that they no longer work.',
  severity: 'medium',
  principles: [5],
  attack: ['T1685'],
  owasp: ['CICD-SEC-10'],
  feeds: { needs: ['github', 'github-audit'] },
  falseAlarms: ['Workflows that fail now and then for no reason: watch others.'],
  untilConfigured: { does: 'nothing', why: 'Nobody has said in `workflows` which are watched.' },
  on: ['dev.cdevents.pipelinerun.finished'],
  where: { attribute: 'cicd.pipeline.result', oneOf: ['failure', 'error', 'timeout'] },
  settings: {
    /** `owner/name: <name of the workflow>`, or `owner/name` for all of a repository's. */
    workflows: z
      .array(z.string().regex(/^[^/\s]+\/[^/\s:]+(?:: .+)?$/, 'must be owner/name or owner/name: workflow'))
      .default([]),
  },
  find(event, { workflows }) {
    if (workflows.length === 0) return undefined;
    const { 'cicd.pipeline.name': name = 'a workflow', 'cicd.pipeline.run.id': run }: Attributes = event.data;
    const repository = repositoryOf(event)?.name;
    if (repository === undefined) return undefined;
    const isWatched = [repository, `${repository}: ${name}`].some((one) =>
      workflows.some((watched) => watched.toLowerCase() === one.toLowerCase()),
    );
    if (!isWatched) return undefined;
    const what = `${clip(name, 100)} of ${repository} failed`;
    return {
      ...{ subject: `${repository}: ${clip(name, 200)}`, title: what, what, summary: `${what}, in run ${run}.` },
      // One finding a run, by whichever feed it is told.
      occasion: `run ${run}`,
      remedy: ['Read the log of the run, and have it run again.'],
    };
  },
});
