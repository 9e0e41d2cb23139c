import { expect, test } from 'vitest';
import { keysOfEvent, keysOfJob } from './keys.ts';

const job = {
  ...{ provider: 'github', repository: { id: '74', name: 'acme/api' }, run: { id: '9', attempt: 2 } },
  checkRunId: '501',
} as never;
const at = { workspace: 'acme', instance: 'github.com' };
const event = (data: object, workspace = 'acme') =>
  ({
    workspace,
    type: 'dev.cdevents.taskrun.finished',
    source: '//github.com/acme',
    data: {
      ...{ 'vcs.repository.id': '74', 'vcs.repository.name': 'renamed/api', 'cicd.pipeline.run.id': '9' },
      ...{ 'tripline.pipeline.run.attempt': 2, 'cicd.pipeline.task.run.id': '501', ...data },
    },
  }) as never;

test('a token and the events of its job name it alike, whatever its repository is called', () => {
  expect(keysOfJob(job, at)).toEqual({
    run: 'acme/github/github.com/74/9/2',
    job: 'acme/github/github.com/74/9/2/501',
  });
  expect(keysOfEvent(event({}))).toEqual(keysOfJob(job, at));
});

test('where the check run is not the job, the token names the check run', () => {
  const other = event({ 'cicd.pipeline.task.run.id': '7', 'cicd.pipeline.task.check_run.id': '501' });
  expect(keysOfEvent(other)).toEqual(keysOfJob(job, at));
});

test('another attempt, repository, run, instance or workspace is another job; what is not named completely is none', () => {
  const own = keysOfJob(job, at).job;
  for (const data of [
    { 'tripline.pipeline.run.attempt': 1 },
    { 'vcs.repository.id': '75' },
    { 'cicd.pipeline.run.id': '10' },
    { 'vcs.repository.url.full': 'https://git.acme.example/acme/api' },
  ])
    expect(keysOfEvent(event(data))?.job).not.toBe(own);
  expect(keysOfEvent(event({}, 'other'))?.job).not.toBe(own);
  expect(keysOfEvent(event({ 'vcs.repository.id': undefined }))).toBeUndefined();
  expect(keysOfEvent(event({ 'tripline.pipeline.run.attempt': undefined }))).toBeUndefined();
});

test('without a job’s name in the token there is the run alone', () => {
  expect(keysOfJob({ ...(job as object), checkRunId: null } as never, at).job).toBeNull();
});
