import { at, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rule } from './watched-workflow-failed.ts';

const finished = (name: string, result: 'failure' | 'success' | 'timeout', run = '7') => ({
  'vcs.repository.name': 'acme/app',
  ...{ 'cicd.pipeline.run.id': run, 'vcs.ref.head.revision': 'a'.repeat(40), 'cicd.pipeline.name': name },
  ...{ 'cicd.pipeline.result': result, 'user.name': 'ada' },
});
const found = (workflows: readonly string[] | undefined, ...runs: readonly ReturnType<typeof finished>[]) => {
  const events = runs.map((data, nth) => at(1000 + nth, 'dev.cdevents.pipelinerun.finished', data));
  const settings = workflows === undefined ? {} : { settings: { [rule.id]: { workflows } } };
  return playTimeline({ rules: [rule], events, untilMs: 9000, ...settings }).findings;
};

describe('a failed run', () => {
  test('is found where its workflow, or its repository, is watched', () => {
    expect(found(['Acme/app: scan'], finished('Scan', 'failure'))).toMatchObject([
      { severity: 'medium', subject: 'acme/app: Scan', title: 'Scan of acme/app failed' },
    ]);
    expect(found(['acme/app'], finished('Build', 'timeout'))).toHaveLength(1);
  });

  test('is nothing by default, of other workflows, or where it did not fail', () => {
    expect(found(undefined, finished('Scan', 'failure'))).toEqual([]);
    expect(found(['acme/app: scan'], finished('Build', 'failure'), finished('Scan', 'success'))).toEqual([]);
  });

  test('is one finding, by however many feeds it is told', () => {
    expect(found(['acme/app'], finished('Scan', 'failure'), finished('Scan', 'failure'))).toHaveLength(1);
    expect(found(['acme/app'], finished('Scan', 'failure'), finished('Scan', 'failure', '8'))).toHaveLength(2);
  });

  test('is of no workflow that cannot be one', () => {
    expect(rule.settings.safeParse({ workflows: ['scan'] }).success).toBe(false);
  });
});
