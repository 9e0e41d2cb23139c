import { createHash } from 'node:crypto';
import {
  approval,
  type ChangeOf,
  createStage,
  type JobOf,
  job,
  pullRequest,
  push,
  run,
  runId,
} from '@tripline/scenarios/github-bodies';
import type { ScenarioStep } from '@tripline/scenarios/scenario';
import { signGithub } from '@tripline/sources/github/verify';
import type { Delivery } from '../../attack/deliver.ts';

/** The organisation of the story: its people, and the policy that it has. */
export const login = 'acme-try';
export const application = 'shop';
const policyRepository = 'access';
const author = 'ada';
const reviewer = 'grace';
export const workflow = '.github/workflows/release.yml';
export const policyName = 'deploy-shop';
/** What jobs ask their tokens for. */
export const brokerName = 'https://access.acme-try.example';
/** By which the stand-in's App acts. */
const appBot = 'acme-access[bot]';

const policies = `audience: ${brokerName}
tiers: { production: [production] }
policies:
  ${policyName}:
    tier: production
    who:
      github:
        repository: ${login}/${application}
        caller: ${workflow}@refs/heads/main
        events: [push]
        ref: refs/heads/main
        environment: production
        runner: hosted
    needs: { reviewed: true, noIncident: high }
    give:
      - { github: { repositories: [${login}/${application}], permissions: { contents: write } } }
`;

export type Organization = ReturnType<typeof createOrganization>;

/** All that its GitHub sends, built for this hour. */
export function createOrganization(startMs: number, secret: string) {
  const stage = createStage({ organization: login, startMs, seed: startMs % 1_000_000 });
  const { sha } = stage;
  const atMs = () => Date.now() - startMs;
  const told = (name: string) => ({ name, says: name, atMs: atMs() });
  const idOf = (name: string) => stage.repository(name, 0).id;
  const lock = [
    'github:',
    `  ${login}/${application}: { id: '${idOf(application)}', owner: '${stage.organization.id}' }`,
    '',
  ].join('\n');

  /** A change that somebody else approved, merged into main. */
  function reviewed(
    repository: string,
    number: number,
    title: string,
    files: string[],
  ): { revision: string; steps: ScenarioStep[] } {
    const revision = sha(`merge of ${repository} ${number}`);
    const base = sha(`head of ${repository}`);
    const change: ChangeOf = {
      ...{ repository, number, title, author, association: 'MEMBER', branch: `change-${number}`, base },
      head: sha(`work of ${repository} ${number}`),
    };
    const merged = { ...change, merged: { by: author, revision } };
    const ref = 'refs/heads/main';
    return {
      revision,
      steps: [
        pullRequest(stage, told(`open ${repository} ${number}`), 'opened', change),
        approval(stage, told(`approve ${repository} ${number}`), reviewer, change),
        pullRequest(stage, told(`merge ${repository} ${number}`), 'closed', merged),
        push(stage, told(`push ${repository} ${number}`), {
          ...{ repository, ref, by: author, before: base, after: revision, message: `${title} (#${number})`, files },
          committer: 'web-flow',
        }),
      ],
    };
  }

  /** Pushed straight to main: nobody reviewed it. */
  function unreviewedPush(): { revision: string; steps: ScenarioStep[] } {
    const revision = sha('straight to main');
    const pushed = { repository: application, ref: 'refs/heads/main', by: author, files: ['src/cart.ts'] };
    const before = sha(`merge of ${application} 7`);
    const of = { ...pushed, before, after: revision, message: 'Speed up the cart' };
    return { revision, steps: [push(stage, told('push straight to main'), of)] };
  }

  const jobOf = (revision: string): JobOf => ({
    ...{ repository: application, name: 'Release', path: workflow, trigger: 'push', by: author, revision },
    ...{ branch: 'main', job: 'deploy', startedAtMs: atMs(), environment: 'production' },
  });

  /** What GitHub says of a job as it starts, and its id token with it. */
  function starts(revision: string) {
    const of = jobOf(revision);
    const begun = job(stage, told(`job ${revision}`), 'in_progress', of);
    const jobId = String((begun.body['workflow_job'] as { id: number }).id);
    const number = String(runId(stage, of));
    const ref = `${login}/${application}/${workflow}@refs/heads/main`;
    return {
      run: number,
      job: jobId,
      steps: [run(stage, told(`begun ${revision}`), 'in_progress', of), begun],
      ends: () => job(stage, told(`end ${revision}`), 'completed', of),
      claims: {
        iss: 'https://token.actions.githubusercontent.com',
        sub: `repo:${login}/${application}:environment:production`,
        ...{ repository: `${login}/${application}`, repository_owner: login, environment: 'production' },
        ...{ repository_id: String(idOf(application)), repository_owner_id: String(stage.organization.id) },
        ...{ run_id: number, run_attempt: '1', run_number: '41', check_run_id: jobId, event_name: 'push' },
        ...{ workflow_ref: ref, workflow_sha: revision, job_workflow_ref: ref, job_workflow_sha: revision },
        ...{
          ref: 'refs/heads/main',
          ref_type: 'branch',
          ref_protected: 'true',
          sha: revision,
          head_ref: '',
          base_ref: '',
        },
        ...{
          runner_environment: 'github-hosted',
          actor: author,
          actor_id: String(stage.user(author).id),
          workflow: 'Release',
        },
      },
    };
  }

  /** GitHub says of a job that it waits for its environment. */
  function waits(revision: string, of: JobOf): ScenarioStep {
    const queued = job(stage, told(`job waits ${revision}`), 'queued', of);
    const { workflow_job, ...rest } = queued.body;
    const waiting = { ...(workflow_job as object), status: 'waiting' };
    return { ...queued, body: { ...rest, action: 'waiting', workflow_job: waiting } };
  }

  /** A run that waits at the gate of its environment, and GitHub's question there. */
  function asksGate(revision: string): { run: string; steps: ScenarioStep[] } {
    const of = jobOf(revision);
    const number = String(runId(stage, of));
    const here = stage.repository(application, atMs());
    return {
      run: number,
      steps: [
        run(stage, told(`run ${revision}`), 'requested', of),
        waits(revision, of),
        {
          ...told(`gate ${revision}`),
          source: 'github',
          event: 'deployment_protection_rule',
          body: {
            action: 'requested',
            environment: 'production',
            event: 'push',
            ...{ sha: revision, ref: 'main' },
            deployment_callback_url: `https://api.github.com/repos/${login}/${application}/actions/runs/${number}/deployment_protection_rule`,
            deployment: null,
            pull_requests: [],
            installation: { id: 1 },
            repository: here,
            organization: stage.organization,
            sender: stage.user(author),
          },
        },
      ],
    };
  }

  return {
    owner: { login, id: stage.organization.id },
    repositories: {
      application: { name: `${login}/${application}`, id: idOf(application) },
      policies: { name: `${login}/${policyRepository}`, id: idOf(policyRepository) },
    },
    files: { 'access.yaml': policies, 'access.lock': lock },
    policyChange: () =>
      reviewed(policyRepository, 1, 'Give the deployment of shop a token', ['access.yaml', 'access.lock']),
    applicationChange: () => reviewed(application, 7, 'Show prices with tax', ['src/prices.ts']),
    unreviewedPush,
    starts,
    asksGate,

    /** The request by which GitHub delivers a step. */
    delivery({ event, body, name }: ScenarioStep): Delivery {
      const text = Buffer.from(JSON.stringify(body));
      const headers = {
        ...{ 'content-type': 'application/json', 'x-github-event': event, 'x-github-delivery': sha(name).slice(0, 32) },
        'x-hub-signature-256': signGithub(text, secret),
      };
      return { path: '/webhooks/github', headers, body: text };
    },

    /** A record of the audit log, as GitHub streams it: the App's token was used. */
    usedRecord(token: string, auditToken: string, doneMs: number): Delivery {
      const actor = stage.user(appBot);
      const { id: repositoryId, name } = { id: idOf(application), name: `${login}/${application}` };
      const event = {
        ...{ '@timestamp': doneMs, created_at: doneMs, action: 'git.clone', _document_id: `try-${doneMs}` },
        ...{ actor: actor.login, actor_id: actor.id, actor_is_bot: true, actor_ip: '203.0.113.88' },
        ...{ org: login, org_id: stage.organization.id, repo: name, repo_id: repositoryId },
        ...{ programmatic_access_type: 'GitHub App server-to-server token', user_agent: 'git/2.51.0' },
        hashed_token: createHash('sha256').update(token).digest('base64'),
      };
      const headers = { 'content-type': 'application/json', authorization: `Splunk ${auditToken}` };
      const body = JSON.stringify({ time: String(doneMs / 1000), host: 'github.com', source: 'github-audit', event });
      return { path: '/services/collector', headers, body: Buffer.from(body) };
    },
  };
}
