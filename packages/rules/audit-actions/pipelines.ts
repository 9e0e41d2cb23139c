import type { Table, Tables } from '../builders/table.ts';
import { ask, audit } from './audit.ts';

const policy: Table = {
  ...audit,
  ...{ principles: [1, 4], attack: ['T1677', 'T1685'], owasp: ['CICD-SEC-4', 'CICD-SEC-5'] },
  why: 'Pipelines may do what they could not before, in every repository that the policy holds for.',
  remedy: [`${ask}; put it back unless it was.`],
  falseAlarms: ['A new policy for all pipelines: resolve it as accepted.'],
};
const evidence: Table = {
  ...audit,
  ...{ principles: [5], attack: ['T1070'], owasp: ['CICD-SEC-10'] },
  why: 'What a run did, or was given, can no longer be read.',
  remedy: ['Ask {user.name} why; what runs did is kept in Tripline’s own trail.'],
  falseAlarms: ['Tidying away, by hand or by a pipeline: an exception for its account.'],
};
const started: Table = {
  ...policy,
  attack: ['T1677'],
  why: 'A job started another run by its own token: so a foothold in one workflow reaches the next.',
  remedy: ['Read which run {user.name} acted for, and whether its workflow is to start others.'],
  falseAlarms: ['Workflows that start others: an exception for the repository.'],
};

export const pipelines: Tables = [
  [
    policy,
    [
      [
        'org.set_default_workflow_permissions',
        'Rights of all jobs’ tokens changed',
        'medium',
        { also: ['repo.set_default_workflow_permissions', 'business.set_default_workflow_permissions'] },
      ],
      [
        'org.set_workflow_permission_can_approve_pr',
        'Whether jobs may approve changes set anew',
        'medium',
        { also: ['repo.set_workflow_permission_can_approve_pr', 'business.set_workflow_permission_can_approve_pr'] },
      ],
      [
        'org.set_actions_fork_pr_approvals_policy',
        'When changes from forks may run changed',
        'medium',
        {
          also: [
            ...['repo.set_actions_fork_pr_approvals_policy', 'business.set_actions_fork_pr_approvals_policy'],
            ...['org.set_fork_pr_workflows_policy', 'repo.set_fork_pr_workflows_policy'],
            ...['business.set_fork_pr_workflows_policy', 'org.set_actions_private_fork_pr_approvals_policy'],
            ...['repo.set_actions_private_fork_pr_approvals_policy'],
            ...['business.set_actions_private_fork_pr_approvals_policy'],
          ],
        },
      ],
      [
        'org.update_actions_settings',
        'Which actions may run changed',
        'medium',
        {
          also: [
            ...['repo.update_actions_settings', 'business.update_actions_settings', 'business.clear_actions_settings'],
            ...['repo.update_actions_access_settings'],
          ],
        },
      ],
      ['repo.actions_enabled', 'Pipelines of a repository switched on or off', 'low'],
      [
        'org.required_workflow_delete',
        'Workflow no longer required everywhere',
        'medium',
        { also: ['org.required_workflow_update'] },
      ],
      ['checks.auto_trigger_disabled', 'Checks no longer begin by themselves', 'low'],
      ['workflows.disable_workflow', 'Workflow switched off', 'low', { ordinary: 'at-scale' }],
      [
        'workflows.actions_policy_violation',
        'Run stopped, as its actions are not allowed',
        'low',
        { ordinary: 'weekly' },
      ],
    ],
  ],
  [
    evidence,
    [
      ['checks.delete_logs', 'Logs of a run deleted', 'medium'],
      ['workflows.delete_workflow_run', 'Run deleted', 'low', { ordinary: 'weekly' }],
      ['artifact.destroy', 'Artifact of a run deleted', 'low', { ordinary: 'daily' }],
      ['actions_cache.delete', 'Cache of pipelines deleted', 'low', { ordinary: 'daily' }],
      [
        'org.set_actions_retention_limit',
        'How long logs and artifacts are kept changed',
        'low',
        {
          also: [
            ...['repo.set_actions_retention_limit', 'business.set_actions_retention_limit'],
            ...['org.set_actions_cache_retention_policy', 'repo.set_actions_cache_retention_policy'],
            ...['business.set_actions_cache_retention_policy'],
          ],
        },
      ],
    ],
  ],
  [
    started,
    [
      [
        'workflows.created_workflow_run',
        'Run started by a job’s own token',
        'low',
        {
          says: { event: ['workflow_dispatch', 'repository_dispatch'], actor: ['github-actions[bot]'] },
          ordinary: 'daily',
        },
      ],
    ],
  ],
];
