import { z } from 'zod';
import { identifier, text } from '../untrusted.ts';
import { app, bodyOf, instant, maybe, number, repositoryName, revisionOf, string } from './body.ts';
import { defineEvent } from './family.ts';
import { resultOf } from './workflow.ts';

/** Releases, packages and forks, and the checks before them. */
export const release = defineEvent({
  marks: ['action', 'release'],
  schema: bodyOf({
    action: string,
    release: z.object({ tag_name: maybe, target_commitish: maybe, published_at: instant }),
  }),
  normalise({ action, release }) {
    // `created`, `released` and `prereleased` are sent for the same release.
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
  name: maybe,
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
      'vcs.ref.head.revision': revisionOf(version?.target_oid),
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
  schema: bodyOf({ forkee: z.object({ id: number.nullish(), full_name: maybe, created_at: instant }) }),
  normalise: ({ forkee }) => ({
    type: 'dev.cdeventsx.tripline-repository.forked',
    time: forkee.created_at,
    data: {
      'tripline.head.repository': repositoryName(forkee.full_name),
      'tripline.head.repository_id': identifier(forkee.id),
    },
  }),
});

export const checkRun = defineEvent({
  marks: ['check_run'],
  carries: ['action', 'requested_action'],
  schema: bodyOf({
    action: maybe,
    check_run: z.object({ name: maybe, head_sha: maybe, conclusion: maybe, completed_at: instant }),
  }),
  normalise({ action, check_run: check }) {
    if (action !== 'completed') return undefined;
    return {
      type: 'dev.cdeventsx.tripline-check.finished',
      time: check.completed_at,
      data: {
        'tripline.check.name': text(check.name),
        'cicd.pipeline.task.run.result': resultOf(check.conclusion),
        'vcs.ref.head.revision': revisionOf(check.head_sha),
      },
    };
  },
});

export const checkSuite = defineEvent({
  marks: ['action', 'check_suite'],
  schema: bodyOf({
    action: string,
    check_suite: z.object({ head_sha: maybe, head_branch: maybe, conclusion: maybe, updated_at: instant, app }),
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
        'vcs.ref.head.revision': revisionOf(suite.head_sha),
      },
    };
  },
});
