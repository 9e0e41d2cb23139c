import { type ForkRun, forkRuns } from '@tripline/facts/fork-runs';
import { placeOf, reviewFacts } from '@tripline/facts/review-reader';
import { type Attempt, buildOf, runs } from '@tripline/facts/runs';
import { entityOf, personOf } from '@tripline/facts/things';
import { isFileOf, workflowFile } from '@tripline/facts/workflow-files';
import { z } from 'zod';
import { conclusion } from './builders/conclusion.ts';
import { targetOf } from './builders/seen.ts';
import { cachedBefore, isInOrder } from './fork-caches.ts';

const files = z.array(workflowFile).max(1000).default([]);

export const rule = conclusion({
  id: 'fork-cache-to-release',
  title: 'Release that may start from what a fork cached',
  description:
    'A workflow that publishes (`releaseWorkflows`) ran within seven days after a fork’s head ran, with the rights of the base, in a workflow that fills a cache (`cachingWorkflows`): what the fork put there is what the release may be built with, signed and attested as yours. ' +
    'Heads that somebody of the house approved, and runs set off by those who may write, are in order. No feed tells who reads or writes a cache, so it finds nothing until both lists are set, and is never surer than medium.',
  severity: 'high',
  confidence: 'medium',
  principles: [4],
  attack: ['T1195.002'],
  owasp: ['CICD-SEC-9', 'CICD-SEC-4'],
  untilConfigured: {
    does: 'nothing',
    why: 'No feed tells of caches, so only you know which workflows fill them for forks, and which publish: `cachingWorkflows`, `releaseWorkflows`.',
  },
  feeds: {
    needs: ['github'],
    better: { 'github-api': 'tells who may write to the repository, and what was approved before' },
  },
  falseAlarms: [
    'Caches whose key the fork cannot reach, or releases that restore none: leave these workflows out of the lists.',
    'Contributors that you trust with it: an exception for their login.',
  ],
  limits: [
    'Which cache a run wrote or read: no event tells. A run that deletes a cache and makes it anew is seen in the audit log alone (`actions_cache.delete`).',
    'A fork’s code that a run of the default branch checked out because a comment said so: such a run’s head is the base.',
  ],
  about: runs,
  uses: [forkRuns, ...reviewFacts],
  settings: { cachingWorkflows: files, releaseWorkflows: files },
  where: ({ attempts }, { releaseWorkflows, cachingWorkflows }) =>
    cachingWorkflows.length > 0 &&
    attempts.some(({ path }) => path !== undefined && releaseWorkflows.some((one) => one.endsWith(path))),
  conclude(run, { key, settings, read, watch, explain }) {
    const { name: named, defaultBranch } = run.repository;
    const place = placeOf(key.slice(0, key.lastIndexOf('#')), named, defaultBranch, { read, watch });
    const fills = ({ path }: ForkRun) => settings.cachingWorkflows.some((one) => isFileOf(one, place, path));
    const filled = (watch(forkRuns, place.key)?.runs ?? []).filter(fills);
    const strange = filled.filter((one) => !isInOrder(one, place, { read, watch }));
    const isRelease = ({ path, fork }: Attempt) =>
      fork !== true && settings.releaseWorkflows.some((one) => isFileOf(one, place, path));
    // One that is run again restores what was cached since.
    const release = run.attempts.find((one) => isRelease(one) && cachedBefore(one, strange).length > 0);
    if (strange.length < filled.length) explain('what forks cached was in order');
    if (release === undefined) return [];
    const strangers = cachedBefore(release, strange);
    const { repository, id, name } = buildOf(key, run, release);
    const who = [...new Set(strangers.map(({ actor }) => actor?.login ?? 'somebody unnamed'))].slice(0, 5).join(', ');
    const home = entityOf('repository', repository, place.key);
    return [
      {
        ...{ subject: `${repository}#${id}`, occasion: 'cache', confidence: 'medium' as const },
        because: [
          ...strangers.slice(0, 20).map((one) => ({
            ...{ fact: forkRuns, key: place.key, seen: one },
            entities: [home, ...(one.actor === undefined ? [] : [personOf(one.actor, key)])],
            what: `${one.actor?.login ?? 'Somebody'} had ${one.path} run for a fork’s head (${one.trigger})`,
          })),
          { fact: runs, key, seen: release, entities: [home], what: `${name} ran, which publishes` },
        ],
        title: `${name} of ${repository} may release what ${who} cached from a fork`,
        summary: `${name} (run ${id}) of ${repository} publishes, and within the week before it ${who} had a fork’s code run where it could fill the caches that it may read.`,
        entities: [entityOf('run', `${repository}#${id}`, key)],
        response: [
          { action: 'stop-run' as const, ...targetOf(place, place.key), runId: id },
          { action: 'delete-caches' as const, ...targetOf(place, place.key), since: strangers[0]!.time },
          { action: 'delete-artifacts' as const, ...targetOf(place, place.key), runId: id },
        ],
        remedy: [
          `Stop run ${id}, delete the caches from since ${strangers[0]!.time} and what the run left as artifacts, and build the release anew; take back what it published.`,
          'Let releases restore no cache, and let no workflow with the rights of the base run code of a fork.',
        ],
      },
    ];
  },
});
