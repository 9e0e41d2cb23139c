import { startFakeService } from '@tripline/testing/integration.conformance';
import { afterEach, expect, test } from 'vitest';
import { type EndQuestion, readJob, whichEnded } from './job.ts';
import { readPolicyCommit } from './policy-files.ts';
import { CannotReadError } from './reader.ts';

const sha = '1'.repeat(40);
const options = { nowMs: () => 0, onLeftAlive: () => {}, filesOf: () => ['aws/a.json', 'none.json'] };
let close = async (): Promise<void> => {};
afterEach(() => close());

/** GitHub, answering these paths; 404 elsewhere. */
async function github(answers: Record<string, unknown>) {
  const service = await startFakeService(({ path }) => {
    const found = answers[decodeURIComponent(path)];
    return found === undefined
      ? { status: 404, body: '{"message":"Not Found"}' }
      : { status: 200, body: JSON.stringify(found) };
  });
  close = service.close;
  return { apiUrl: service.url, token: 'a-token-for-reading' };
}

const place = { repository: 'acme/access', branch: 'main', path: 'tiers/access.yaml', lockPath: 'tiers/access.lock' };
const text = (content: string) => ({
  type: 'file',
  encoding: 'base64',
  content: Buffer.from(content).toString('base64'),
});
const answers = {
  '/repos/acme/access/git/ref/heads/main': { object: { type: 'commit', sha } },
  '/repos/acme/access': { id: 90 },
  [`/repos/acme/access/contents/tiers/access.yaml?ref=${sha}`]: text('audience: …'),
  [`/repos/acme/access/contents/tiers/access.lock?ref=${sha}`]: text('github: {}'),
  [`/repos/acme/access/contents/tiers/aws/a.json?ref=${sha}`]: text('{}'),
};

test('policies and their lock are read at one commit, and not again while it is the head', async () => {
  const access = await github(answers);
  expect(await readPolicyCommit(access, place, undefined, options)).toEqual({
    ...{ repositoryId: '90', revision: sha, policies: 'audience: …', lock: 'github: {}' },
    files: { 'aws/a.json': '{}' },
  });
  expect(await readPolicyCommit(access, place, sha, options)).toBeUndefined();
});

test('without a lock file nothing is pinned; without the file itself, or in another form, nothing is read', async () => {
  const { [`/repos/acme/access/contents/tiers/access.lock?ref=${sha}`]: _, ...unlocked } = answers;
  expect(await readPolicyCommit(await github(unlocked), place, undefined, options)).toMatchObject({ lock: '' });
  await close();
  const { [`/repos/acme/access/contents/tiers/access.yaml?ref=${sha}`]: __, ...none } = answers;
  await expect(readPolicyCommit(await github(none), place, undefined, options)).rejects.toThrow(CannotReadError);
  await close();
  const link = {
    ...answers,
    [`/repos/acme/access/contents/tiers/access.yaml?ref=${sha}`]: { type: 'symlink', target: 'x' },
  };
  await expect(readPolicyCommit(await github(link), place, undefined, options)).rejects.toThrow('another form');
});

test('a job is asked for by run, attempt and check run; another of its number is none', async () => {
  const job = {
    run_id: 9,
    run_attempt: 2,
    status: 'in_progress',
    check_run_url: 'https://api.github.com/…/check-runs/501',
  };
  const machine = {
    runner_id: 117,
    runner_name: 'box-1',
    runner_group_id: 7,
    runner_group_name: 'deployers',
    labels: [],
  };
  const asked = { repository: { name: 'acme/api' }, run: { id: '9', attempt: 2 }, checkRunId: '501' };
  const answer = async (told: object, question = asked) => {
    await close();
    return readJob(await github({ '/repos/acme/api/actions/jobs/501': told }), question, options).catch(() => 'none');
  };
  expect(await answer({ ...job, ...machine })).toEqual({
    ...{ state: 'running', runner: { group: 'deployers', isHosted: false } },
  });
  expect(await answer({ ...job, status: 'completed' })).toEqual({ state: 'ended', runner: undefined });
  expect(await answer({ ...job, status: 'queued' })).toEqual({ state: 'waiting', runner: undefined });
  expect(await answer({ ...job, run_attempt: 1 })).toBeUndefined();
  expect(await answer({ ...job, run_id: 10 })).toBeUndefined();
  expect(await answer({ ...job, check_run_url: 'https://api.github.com/…/check-runs/502' })).toBeUndefined();
  expect(await answer({ message: 'moved' })).toBeUndefined();
});

test('jobs of a repository are asked for by one token; what is not there has ended only where its runs may be read', async () => {
  const repository = { id: '74', name: 'acme/api' };
  const of = (run: string, checkRunId: string | null): EndQuestion => ({
    ...{ repository, run: { id: run, attempt: 1 }, checkRunId },
  });
  const job = (run_id: number, id: number, status: string) => ({
    [`/repos/acme/api/actions/jobs/${id}`]: { run_id, run_attempt: 1, status, check_run_url: `https://x/${id}` },
  });
  const runAt = (id: number, status: string) => ({
    [`/repos/acme/api/actions/runs/${id}/attempts/1`]: { id, run_attempt: 1, status },
  });
  const known = {
    ...{
      ...job(1, 11, 'completed'),
      ...job(2, 12, 'in_progress'),
      ...runAt(3, 'completed'),
      ...runAt(5, 'in_progress'),
    },
    '/repos/acme/api/actions/runs?per_page=1': { workflow_runs: [{ repository: { id: 74 } }] },
    '/repos/acme/api': { id: 74 },
  };
  const questions = [of('1', '11'), of('2', '12'), of('3', null), of('4', '14'), of('5', '15')] as const;
  const ask = async (answers: Record<string, unknown>) => {
    await close();
    return whichEnded(await github(answers), [...questions], options);
  };
  // The run of the fourth is gone; that of the fifth goes on, so that its job may be there under another id.
  expect(await ask(known)).toEqual([true, false, true, true, undefined]);
  const unread = { ...known, '/repos/acme/api/actions/runs?per_page=1': undefined };
  expect(await ask(unread)).toEqual([true, false, true, undefined, undefined]);
  // Another repository bears the name by now.
  expect(await ask({ ...known, '/repos/acme/api': { id: 75 } })).toEqual([true, false, true, undefined, undefined]);
});
