import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

/** What Tripline preaches, held against its own workflows, so that CI says it where zizmor does not run. */
type Step = { uses?: string; run?: string; with?: Record<string, unknown> };
type Job = { permissions?: Record<string, string>; 'timeout-minutes'?: number; environment?: string; steps: Step[] };
type Workflow = { on: Record<string, unknown>; permissions?: Record<string, string>; jobs: Record<string, Job> };

const github = join(import.meta.dirname, '../.github');
const files = readdirSync(join(github, 'workflows')).map((name) => {
  const text = readFileSync(join(github, 'workflows', name), 'utf8');
  return { name, text, workflow: parse(text) as Workflow };
});
const jobs = files.flatMap(({ name, workflow }) =>
  Object.entries(workflow.jobs).map(([id, job]) => ({ name: `${name} ${id}`, job })),
);

describe('the workflows', () => {
  test('are there', () => {
    expect(files.map(({ name }) => name).sort()).toEqual(['ci.yml', 'codeql.yml', 'release.yml', 'zizmor.yml']);
  });

  test('pin each action by a commit, and name the version that it is', () => {
    const used = files.flatMap(({ name, text }) =>
      [...text.matchAll(/^ *(?:- )?uses: (.*)$/gm)].map((match) => `${name}: ${match[1]}`),
    );
    expect(used.length).toBeGreaterThan(8);
    expect(used.filter((line) => !/: [\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([]);
  });

  test('give no right to all, and each job those that it names', () => {
    for (const { name, workflow } of files) expect(workflow.permissions, name).toEqual({});
    for (const { name, job } of jobs) expect(job.permissions, name).toBeTypeOf('object');
    const writing = jobs.filter(({ job }) => Object.values(job.permissions!).includes('write')).map(({ name }) => name);
    expect(writing).toEqual(['codeql.yml analyze', 'release.yml npm', 'release.yml image']);
  });

  test('put nothing that a stranger writes into a shell, and hold no stored secret', () => {
    for (const { name, job } of jobs) {
      for (const step of job.steps) expect(step.run ?? '', name).not.toContain('${{');
    }
    for (const { name, text } of files) {
      expect(text, name).not.toMatch(/secrets\.|pull_request_target|workflow_run/);
    }
  });

  test('leave no credential in a checkout, and end', () => {
    for (const { name, job } of jobs) {
      expect(job['timeout-minutes'], name).toBeLessThanOrEqual(90);
      for (const step of job.steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'))) {
        expect(step.with?.['persist-credentials'], name).toBe(false);
      }
    }
  });

  test('publish only from an environment, out of jobs that run none of our code', () => {
    for (const { name, job } of jobs.filter(({ job }) => job.permissions!['id-token'] === 'write')) {
      expect(job.environment, name).toBe('release');
      const runs = job.steps.map(({ run }) => run ?? '').join('\n');
      expect(runs, name).not.toMatch(/npm (ci|install|run|test)|\.ci\/run/);
      expect(job.steps.map(({ uses }) => uses ?? '').filter((uses) => uses.startsWith('actions/checkout'))).toEqual([]);
    }
  });

  test('run commands that there are', () => {
    const { scripts } = JSON.parse(readFileSync(join(github, '../package.json'), 'utf8'));
    const run = jobs.flatMap(({ job }) =>
      job.steps.flatMap((step) =>
        [...(step.run ?? '').matchAll(/npm run (?:--silent )?([a-z:]+)/g)].map((it) => it[1]!),
      ),
    );
    expect(run.filter((script) => !(script in scripts))).toEqual([]);
  });
});

test('the update bot writes digests of images and commits of actions', () => {
  const renovate = JSON.parse(readFileSync(join(github, 'renovate.json'), 'utf8'));
  expect(renovate.extends).toEqual(expect.arrayContaining(['docker:pinDigests', 'helpers:pinGitHubActionDigests']));
});

test('issue forms ask for something, each under a name of its own', () => {
  const forms = readdirSync(join(github, 'ISSUE_TEMPLATE')).filter((name) => name !== 'config.yml');
  const read = forms.map((name) => parse(readFileSync(join(github, 'ISSUE_TEMPLATE', name), 'utf8')));
  expect(new Set(read.map((form) => form.name)).size).toBe(forms.length);
  for (const form of read) {
    const ids = form.body.flatMap((item: { id?: string }) => item.id ?? []);
    expect(ids.length).toBeGreaterThan(1);
    expect(new Set(ids).size).toBe(ids.length);
  }
});
