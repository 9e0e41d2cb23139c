import type { Table, Tables } from '../builders/table.ts';
import { ask, audit } from './audit.ts';

const protection: Table = {
  ...audit,
  ...{ principles: [1, 2], attack: ['T1685'], owasp: ['CICD-SEC-1'] },
  why: 'Code may come to protected branches that nobody else has seen.',
  remedy: [`${ask}; put it back unless it was, and read what was pushed meanwhile.`],
  falseAlarms: ['Administrators at maintenance: an exception for their accounts.'],
};
const overridden: Table = {
  ...protection,
  why: 'What came so did not pass what protects the branch.',
  remedy: ['Read what was pushed; revert it unless {user.name} can say why it could not wait.'],
  falseAlarms: ['Hotfixes, and apps that may go round a protection: an exception for their accounts.'],
};
/** What says by more than its name what came so. */
const landed: [string, ...string[]] = [
  'build-from-unreviewed-commit',
  'workflow-changed-unreviewed',
  'protected-branch-unreviewed',
];
const gates: Table = {
  ...protection,
  attack: ['T1685', 'T1677'],
  why: 'A deployment may go on without the approval or wait that it needed.',
  remedy: [`${ask}; put it back unless it was, and read what was deployed meanwhile.`],
  falseAlarms: ['Environments that are tidied away or set up: an exception for who does so.'],
};
const releases: Table = {
  ...protection,
  attack: ['T1195.002', 'T1685'],
  ...{ principles: [4, 5], owasp: ['CICD-SEC-9'] },
  why: 'A release that people trust may be exchanged after it was published.',
  remedy: [`${ask}; put it back unless it was, and compare releases with what was built.`],
};

/** A job's own token may not change workflows: whoever tries has an attacker's script, or one that never worked. */
const plantedWorkflow = {
  attack: ['T1677'],
  owasp: ['CICD-SEC-4'],
  why: 'A script in a job tried to plant or change a workflow with the job’s token, which may not.',
  remedy: ['Read which job of {vcs.repository.name} it was, and who wrote what it ran.'],
  falseAlarms: ['A release script that copies workflows, and never worked: resolve it as false, and mend the script.'],
} as const;
const byContent = ['protection-weakened-then-push', 'protection-left-relaxed'] as const;

export const protections: Tables = [
  [
    protection,
    [
      ['protected_branch.destroy', 'Protection of a branch deleted', 'medium', { joins: byContent }],
      [
        'protected_branch.update_admin_enforced',
        'Administrators no longer held by a branch’s protection',
        'medium',
        { unless: { admin_enforced: ['true', '1'] }, joins: byContent },
      ],
      [
        'protected_branch.update_allow_force_pushes_enforcement_level',
        'Who may force or delete a protected branch changed',
        'medium',
        { also: ['protected_branch.update_allow_deletions_enforcement_level'], joins: byContent },
      ],
      [
        'protected_branch.update_required_approving_review_count',
        'What a protected branch demands changed',
        'low',
        {
          also: [
            ...['protected_branch.update_pull_request_reviews_enforcement_level', 'protected_branch.update_name'],
            ...['protected_branch.update_require_code_owner_review', 'protected_branch.dismiss_stale_reviews'],
            ...['protected_branch.update_require_last_push_approval', 'protected_branch.authorized_users_teams'],
            ...['protected_branch.update_ignore_approvals_from_contributors', 'protected_branch.branch_allowances'],
            ...['protected_branch.update_signature_requirement_enforcement_level'],
            ...['protected_branch.dismissal_restricted_users_teams', 'required_status_check.destroy'],
            ...['protected_branch.update_required_status_checks_enforcement_level'],
            ...['protected_branch.update_strict_required_status_checks_policy'],
            ...['protected_branch.update_linear_history_requirement_enforcement_level'],
            ...['protected_branch.update_merge_queue_enforcement_level', 'merge_queue.update_settings'],
            ...['protected_branch.update_lock_branch_enforcement_level'],
            ...['protected_branch.update_lock_allows_fetch_and_merge'],
          ],
          ...{ better: byContent, ordinary: 'at-scale' },
        },
      ],
      ['protected_branch.create', 'Protection of a branch made', 'low', { tightens: true, ordinary: 'daily' }],
      ['repository_ruleset.destroy', 'Ruleset deleted', 'medium', { joins: byContent }],
      ['repository_ruleset.update', 'Ruleset changed', 'low', { better: byContent }],
      ['repository_ruleset.create', 'Ruleset made', 'low', { tightens: true, ordinary: 'daily' }],
      [
        'repository_branch_protection_evaluation.disable',
        'Branch protections no longer evaluated',
        'medium',
        { joins: byContent },
      ],
      [
        'org.members_can_update_protected_branches.enable',
        'Administrators of repositories may change protections',
        'medium',
        {
          also: [
            ...['business.members_can_update_protected_branches.enable'],
            ...['business.members_can_update_protected_branches.clear'],
          ],
        },
      ],
      [
        'org.members_can_update_protected_branches.disable',
        'Only owners may change protections',
        'low',
        { also: ['business.members_can_update_protected_branches.disable'], tightens: true },
      ],
      ['repo.update_default_branch', 'Another branch made the default', 'low', { better: byContent }],
    ],
  ],
  [
    overridden,
    [
      [
        'protected_branch.policy_override',
        'Protection of a branch overridden',
        'low',
        { better: landed, ordinary: 'weekly' },
      ],
      [
        'protected_branch.rejected_ref_update',
        'Job refused, as it would have changed a workflow',
        'medium',
        { as: 'of-workflow', says: { 'reasons.code': ['workflow_updates'] }, ...plantedWorkflow },
      ],
      [
        'protected_branch.rejected_ref_update',
        'Push to a protected branch rejected',
        'low',
        { unless: { 'reasons.code': ['workflow_updates'] }, better: ['protected-branches-tried'], ordinary: 'daily' },
      ],
      ['merge_queue.pull_request_queue_jump', 'Change put before others in the merge queue', 'low'],
    ],
  ],
  [
    gates,
    [
      ['environment.remove_protection_rule', 'Gate of an environment removed', 'medium'],
      ['environment.update_protection_rule', 'Gate of an environment changed', 'low'],
      ['environment.delete', 'Environment deleted', 'low', { ordinary: 'weekly' }],
      [
        'workflows.bypass_protection_rules',
        'Gate of an environment passed by force',
        'medium',
        { joins: ['deployment-gate-bypassed'] },
      ],
    ],
  ],
  [
    releases,
    [
      [
        'repo.immutable_releases_settings_disabled',
        'Releases may be exchanged again',
        'medium',
        { also: ['org.update_immutable_releases_settings_policy'] },
      ],
    ],
  ],
];
