import { z } from 'zod';
import { identifier, text } from '../untrusted.ts';
import { app, bodyOf, fullName, instant, maybe, revision, string } from './body.ts';
import { defineEvent } from './family.ts';
import { resultOf } from './workflow.ts';

/** What leaves the house: releases, packages, forks; and the checks that were to hold it back. */
export const release = defineEvent({
  marks: ['action', 'release'],
  schema: bodyOf({
    action: string,
    release: z.object({ tag_name: string, target_commitish: maybe, published_at: instant }),
  }),
  normalise({ action, release }) {
    // `created`, `released` and `prereleased` come beside it and say the same.
    if (action !== 'published') return undefined;
    return {
      type: 'dev.cdeventsx.tripline-release.published',
      time: release.published_at,
      data: {
        'tripline.release.tag': text(release.tag_name),
        'vcs.ref.head.name': text(release.tag_name),
        'vcs.ref.head.type': 'tag',
      },
    };
  },
});

const packageBody = z.object({
  name: string,
  package_version: z.object({ version: maybe, name: maybe, target_oid: maybe, created_at: instant }).nullish(),
});

function toldOfPackage(action: string, published: z.infer<typeof packageBody>) {
  if (action !== 'published' && action !== 'updated') return undefined;
  const version = published.package_version;
  return {
    type: 'dev.cdevents.artifact.published' as const,
    time: action === 'published' ? version?.created_at : undefined,
    data: {
      'tripline.package.name': text(published.name),
      'tripline.package.version': text(version?.version ?? version?.name),
      'vcs.ref.head.revision': identifier(version?.target_oid),
    },
  };
}

export const packageEvent = defineEvent({
  marks: ['action', 'package'],
  schema: bodyOf({ action: string, package: packageBody }),
  normalise: (body) => toldOfPackage(body.action, body.package),
});

export const registryPackage = defineEvent({
  marks: ['action', 'registry_package'],
  schema: bodyOf({ action: string, registry_package: packageBody }),
  normalise: (body) => toldOfPackage(body.action, body.registry_package),
});

export const fork = defineEvent({
  marks: ['forkee', 'repository'],
  schema: bodyOf({ forkee: z.object({ full_name: fullName, created_at: instant }) }),
  normalise: ({ forkee }) => ({
    type: 'dev.cdeventsx.tripline-repository.forked',
    time: forkee.created_at,
    data: { 'tripline.head.repository': forkee.full_name },
  }),
});

export const checkRun = defineEvent({
  marks: ['action', 'check_run'],
  carries: ['requested_action'],
  schema: bodyOf({
    action: string,
    check_run: z.object({ name: string, head_sha: revision, conclusion: maybe, completed_at: instant }),
  }),
  normalise({ action, check_run: check }) {
    if (action !== 'completed') return undefined;
    return {
      type: 'dev.cdeventsx.tripline-check.finished',
      time: check.completed_at,
      data: {
        'tripline.check.name': text(check.name),
        'cicd.pipeline.task.run.result': resultOf(check.conclusion),
        'vcs.ref.head.revision': check.head_sha,
      },
    };
  },
});

export const checkSuite = defineEvent({
  marks: ['action', 'check_suite'],
  schema: bodyOf({
    action: string,
    check_suite: z.object({ head_sha: revision, head_branch: maybe, conclusion: maybe, updated_at: instant, app }),
  }),
  normalise({ action, check_suite: suite }) {
    if (action !== 'completed') return undefined;
    return {
      type: 'dev.cdeventsx.tripline-check.finished',
      time: suite.updated_at,
      data: {
        'tripline.check.name': text(suite.app?.slug ?? suite.app?.name),
        'cicd.pipeline.result': resultOf(suite.conclusion),
        'vcs.ref.head.name': text(suite.head_branch),
        'vcs.ref.head.revision': suite.head_sha,
      },
    };
  },
});
