import type { Table, Tables } from '../builders/table.ts';
import { ask, audit } from './audit.ts';

const exposed: Table = {
  ...audit,
  ...{ principles: [5], attack: ['T1567.001'], owasp: ['CICD-SEC-6'] },
  why: 'Everybody may read it now, with all that its history holds, and keep a copy whatever is done next.',
  remedy: [`${ask}; make it private again unless it was, and take every secret in its history as known to others.`],
  falseAlarms: ['Publication as planned: an exception for who publishes, or resolve it as accepted.'],
};
const moved: Table = {
  ...audit,
  ...{ principles: [5], attack: ['T1537', 'T1020'], owasp: ['CICD-SEC-2'] },
  why: 'Code leaves the organisation, with its history, issues and settings.',
  remedy: [`${ask}, and to whom it went.`],
  falseAlarms: ['A reorganisation or migration: an exception for who carries it out, until then.'],
};
const destroyed: Table = {
  ...audit,
  ...{ principles: [5], attack: ['T1485'], owasp: ['CICD-SEC-2'] },
  why: 'What was in it is lost to whoever needs it, or cannot be changed.',
  remedy: [`${ask}. A deleted repository can be restored by its owners for 90 days.`],
  falseAlarms: ['Old repositories that are tidied away: an exception for who does so.'],
};
const made: Table = {
  ...audit,
  ...{ principles: [5], attack: ['T1567.001', 'T1074.002'], owasp: ['CICD-SEC-6'] },
  why: 'A place that nobody watches yet is where code and secrets are carried off to.',
  remedy: ['Ask {user.name} what it is for.'],
  falseAlarms: ['Teams make repositories all the time.'],
};
const copies: Table = {
  ...moved,
  attack: ['T1213.003', 'T1537'],
  why: 'A copy is beyond what the organisation can protect, and outlives the access of whoever made it.',
  remedy: [`${ask}, and where the copy is.`],
};

const exposures = ['repository-exposed'] as const;
const notPublic = { visibility: ['private', 'internal'] };

export const repositories: Tables = [
  [
    exposed,
    [
      ['repo.access', 'Repository made public', 'high', { as: 'to-public', unless: notPublic }],
      [
        'repo.create',
        'Public repository made',
        'medium',
        { as: 'public', says: { visibility: ['public'] }, joins: exposures },
      ],
      ['repo.pages_public', 'Pages of a repository made public', 'low'],
      [
        'business.referrer_override_disable',
        'Addresses of private pages told to other sites',
        'low',
        { undocumented: ['business.referrer_override_disable'] },
      ],
      [
        'members_can_create_public_pages.enable',
        'Members may publish pages',
        'low',
        { also: ['members_can_create_pages.enable'] },
      ],
    ],
  ],
  [
    moved,
    [
      [
        'repo.transfer',
        'Repository handed to another owner',
        'medium',
        { also: ['repo.transfer_start', 'repo.transfer_outgoing'] },
      ],
      ['migration.create', 'Archive for a migration made', 'medium', { also: ['migration.download'] }],
    ],
  ],
  [
    destroyed,
    [
      ['repo.destroy', 'Repository deleted', 'low', { ordinary: 'weekly' }],
      ['repo.archived', 'Repository archived', 'low', { ordinary: 'at-scale' }],
      ['repo.unarchived', 'Archived repository opened again', 'low', { also: ['repo.restore'], ordinary: 'weekly' }],
      [
        'packages.package_deleted',
        'Package deleted',
        'low',
        { also: ['packages.package_version_deleted'], ordinary: 'weekly' },
      ],
      ['project.delete', 'Project board deleted', 'low', { ordinary: 'weekly' }],
    ],
  ],
  [
    made,
    [
      ['repo.create', 'Repository made', 'low', { unless: { visibility: ['public'] }, ordinary: 'daily' }],
      ['repo.access', 'Repository no longer public', 'low', { as: 'from-public', says: notPublic, tightens: true }],
    ],
  ],
  [
    copies,
    [
      [
        'private_repository_forking.enable',
        'Private repositories may be forked',
        'medium',
        { also: ['private_repository_forking.clear'] },
      ],
      [
        'repo.download_zip',
        'Code downloaded as an archive',
        'low',
        { better: ['token-bulk-clone'], ordinary: 'daily' },
      ],
      [
        'repo.temporary_access_granted',
        'Private repository opened to the provider’s staff',
        'medium',
        { also: ['repo.staff_unlock', 'repo.override_unlock'] },
      ],
    ],
  ],
];
