import type { Severity } from '@tripline/contracts/finding';
import { parseTime } from '@tripline/contracts/time';
import { commits } from '@tripline/facts/commits';
import { type Ref, refs } from '@tripline/facts/refs';
import { nameAt, repositories } from '@tripline/facts/repositories';
import { runs } from '@tripline/facts/runs';
import { entityOf, personOf, refNamedIn } from '@tripline/facts/things';
import { z } from 'zod';
import { conclusion } from './builders/conclusion.ts';
import { heldBy, isGone, lifeFacts, lostAtMs, pushesOfCi, responseTo, shortLives } from './short-lives.ts';

export const rule = conclusion({
  id: 'ephemeral-branch-secret-run',
  title: 'Branch made, run and deleted within minutes',
  description:
    'A branch was made, a run of it began, and it was deleted again within `withinMs`, without having been merged: a way to have a workflow of one’s own run with the repository’s secrets, and to leave no trace in its history. ' +
    'Found where its pushes changed files that configure CI, or its run was given secrets, deployed, or ran on a machine of your own: else it was a try. ' +
    'High; medium where a change was opened of it; low for an app, as for bots that update dependencies. ' +
    'Branches that were merged into one that is there, or was merged on, and those of merge queues, are passed over.',
  severity: 'high',
  principles: [5],
  attack: ['T1677', 'T1070'],
  owasp: ['CICD-SEC-4'],
  feeds: { needs: ['github'], better: { 'github-audit': 'tells which secrets the run was given' } },
  falseAlarms: [
    'Somebody who tries a change of CI out and deletes the branch at once: an exception for the repository where that is usual.',
    'Bots that build on branches of their own, such as bors: low if they are apps; else an exception for the account.',
  ],
  limits: [
    'Of several runs of one commit on the branch, the first is looked at for what it held.',
    'A branch of a fork, whose pushes are not told: see `privileged-fork-trigger`.',
  ],
  settings: {
    /** From making to deleting, ms. */
    withinMs: z.int().min(1000).max(86_400_000).default(900_000),
    /** How long the merge of it may be on its way after it was deleted, ms. */
    holdMs: z.int().min(0).default(30_000),
  },
  about: refs,
  uses: [...lifeFacts, repositories],
  where: ({ moves }: Ref) => moves.some(isGone),
  conclude({ moves, mergedFrom }, { key, settings, ...context }) {
    const { repository: repositoryKey, type, name: branch } = refNamedIn(key);
    if (type === 'tag') return [];
    return shortLives(moves, repositoryKey, settings.withinMs, context).flatMap(({ made, gone, stood }) => {
      const [fromMs, goneMs] = [parseTime(made.time), parseTime(gone.time)];
      const lostMs = lostAtMs(mergedFrom, [fromMs, goneMs], repositoryKey, context);
      if (lostMs === undefined || stood.every(({ commit }) => commit?.groups.length)) return [];
      const builds = stood.flatMap(({ key: at, commit }) => {
        const first = commit?.built.find(({ ref, run }) => ref === branch && run !== undefined);
        const run = first && context.watch(runs, first.run!);
        if (run === undefined) return [];
        return [{ at, first: first!, run, ...heldBy(first!.run!, run, repositoryKey, context) }];
      });
      const touching = pushesOfCi(stood, branch);
      const held = builds.flatMap(({ basis }) => basis);
      if (builds.length === 0 || (touching.length === 0 && held.length === 0)) return [];
      const repository = nameAt(context.read(repositories, repositoryKey), parseTime(made.time)) ?? repositoryKey;
      const who = made.by?.login ?? 'somebody unnamed';
      const isOpened = stood.at(-1)!.commit?.changes.some((one) => one.as === 'head' && parseTime(one.time) <= goneMs);
      const severity: Severity = who.endsWith('[bot]') ? 'low' : isOpened ? 'medium' : 'high';
      const [subject, on] = [`${repository}@refs/heads/${branch}`, `${branch} of ${repository}`];
      const by = [made.by, gone.by].flatMap((one) => (one === undefined ? [] : [personOf(one, key)]));
      const seconds = Math.round((goneMs - fromMs) / 1000);
      const paths = [...new Set(touching.flatMap(({ push }) => push.ciPaths))].slice(0, 5).join(', ');
      return {
        ...{
          subject,
          // What is found does not become less severe: that a change was opened of it may be received late.
          occasion: isOpened ? `${gone.eventId} opened` : gone.eventId,
          severity,
          heldUntilMs: Math.max(gone.heardMs ?? 0, lostMs) + settings.holdMs,
        },
        because: [
          { fact: refs, key, seen: made, what: `${who} made branch ${on}`, entities: by },
          { fact: refs, key, seen: gone, what: `${gone.by?.login ?? 'Somebody'} deleted it, ${seconds} s later` },
          ...builds.map(({ at, first }) => ({ fact: commits, key: at, seen: first, what: 'A run of it began' })),
          ...touching.map(({ at, push }) => ({
            fact: commits,
            key: at,
            seen: push,
            what: `It changed ${push.ciPaths.join(', ')}`,
          })),
          ...held,
        ],
        title: `${who} made branch ${on}, had it run, and deleted it after ${seconds} s`,
        summary: `${who} made branch ${on}, a run of it began, and it was gone after ${seconds} s. ${paths === '' ? '' : `It changed ${paths}. `}What it ran stands in no history.`,
        entities: [
          ...builds.map(({ first, run }) => entityOf('run', `${repository}#${run.id}`, first.run)),
          entityOf('repository', repository, repositoryKey),
        ],
        response: builds.flatMap((build) => responseTo(key, build, severity === 'high' ? gone.time : undefined)),
        remedy: [
          `Read the logs of the runs, and ask ${who} what ${branch} was for; the commits are there for a while, by their hashes.`,
          'If nobody answers for it: rotate what the runs could read, end their sessions and delete their tokens.',
        ],
      };
    });
  },
});
