import type { LoggedEvent } from '@tripline/contracts/event';
import { placeOf } from '@tripline/contracts/place';
import type { Intent } from '@tripline/contracts/response';
import type { Table, Tables } from '../builders/table.ts';
import { ask, audit } from './audit.ts';

const owners: Table = {
  ...audit,
  ...{ principles: [1, 3], attack: ['T1098.003'], owasp: ['CICD-SEC-2'] },
  why: 'An owner may read, change and delete everything, and let others in.',
  remedy: [`${ask}; take the role back unless it was, and read what the account did since.`],
  falseAlarms: ['A change of owners that was agreed upon: resolve it as accepted.'],
};
const roles: Table = {
  ...audit,
  ...{ principles: [1], attack: ['T1098.003'], owasp: ['CICD-SEC-2'] },
  why: 'Somebody may do more now than membership alone allows, for as long as nobody takes it back.',
  remedy: [`${ask}; take it back unless it was.`],
  falseAlarms: ['Roles that are given as people change teams: an exception for who gives them.'],
};
const members: Table = {
  ...roles,
  attack: ['T1136.003', 'T1098.003'],
  why: 'Somebody else may read or change what belongs to the organisation.',
  falseAlarms: ['Joiners: an exception for the account of whoever, or whatever, brings them in.'],
};
const leavers: Table = {
  ...audit,
  ...{ principles: [1], attack: ['T1531'], owasp: ['CICD-SEC-2'] },
  why: 'Whoever takes over an organisation first puts out those who could stop it.',
  remedy: [`${ask}; let them in again unless it was.`],
  falseAlarms: ['Leavers: an exception for the account of whoever, or whatever, puts them out.'],
};
const basePermissions: Table = {
  ...audit,
  ...{ principles: [1], attack: ['T1098'], owasp: ['CICD-SEC-2', 'CICD-SEC-5'] },
  why: 'What every member may do has changed at once.',
  remedy: [`${ask}; put it back unless it was.`],
  falseAlarms: ['A new policy for all: an exception for who brings it in, until it is in.'],
};
const ended: Table = {
  ...audit,
  ...{ principles: [5], attack: ['T1485', 'T1531'], owasp: ['CICD-SEC-2'] },
  why: 'What the enterprise demanded of it holds no longer, or it is gone.',
  remedy: [`${ask}. The provider’s support restores what was deleted, for a time.`],
  falseAlarms: ['A reorganisation: resolve it as accepted.'],
};

/** Whom a record is about, in which organisation; undefined where it does not say. */
function personIn(event: LoggedEvent) {
  const {
    'vcs.owner.name': organization,
    'vcs.owner.id': organizationId,
    'tripline.audit.record': record,
  } = event.data;
  const { user, user_id: id } = record ?? {};
  if (organization === undefined || typeof user !== 'string' || user === '') return undefined;
  const userId = typeof id === 'number' || typeof id === 'string' ? { userId: String(id) } : {};
  return { ...placeOf(event), organization, ...(organizationId && { organizationId }), user, ...userId };
}

/** Leaves who was a member before a member. */
function noOwnerAgain(event: LoggedEvent): Intent[] {
  const person = personIn(event);
  const permissions = { permission: 'admin', formerPermission: 'member' };
  return person === undefined ? [] : [{ action: 'restore-permission', grant: 'org-member', ...person, ...permissions }];
}

function outAgain(event: LoggedEvent): Intent[] {
  const person = personIn(event);
  return person === undefined ? [] : [{ action: 'revoke-grant', grant: 'org-member', ...person }];
}

const asOwner = { permission: ['admin', 'owner'] };
const grants = ['privilege-grant-outside-job'] as const;

export const people: Tables = [
  [
    owners,
    [
      [
        'org.update_member',
        'Member made an owner',
        'high',
        { as: 'to-owner', says: asOwner, joins: grants, respond: noOwnerAgain },
      ],
      ['org.add_member', 'Owner added', 'high', { as: 'as-owner', says: asOwner, joins: grants, respond: outAgain }],
      ['business.add_admin', 'Enterprise owner added', 'high', { also: ['business.invite_admin'] }],
    ],
  ],
  [
    roles,
    [
      ['org.update_member', 'Member’s role changed', 'low', { unless: asOwner, ordinary: 'weekly' }],
      ['enterprise_role.assign', 'Role in the enterprise given', 'medium'],
      [
        'organization_role.create',
        'Role of the organisation defined anew',
        'medium',
        {
          also: [
            ...['organization_role.update', 'enterprise_role.create', 'enterprise_role.update'],
            ...['role.create', 'role.update'],
          ],
        },
      ],
      ['organization_moderators.add_user', 'Moderator added', 'medium', { also: ['organization_moderators.add_team'] }],
      ['org.add_security_manager', 'Security manager added', 'medium'],
      ['org.integration_manager_added', 'Manager of apps added', 'medium', { also: ['integration.manager_added'] }],
      [
        'business.invite_billing_manager',
        'Billing manager added',
        'medium',
        { also: ['business.add_billing_manager', 'org.add_billing_manager'] },
      ],
      ['team.promote_maintainer', 'Maintainer of a team made', 'low', { ordinary: 'daily' }],
      ['project.update_user_permission', 'Permission on a project changed', 'low', { ordinary: 'weekly' }],
    ],
  ],
  [
    members,
    [
      ['org.add_member', 'Member added', 'low', { unless: asOwner, better: grants, ordinary: 'daily' }],
      ['org.invite_member', 'Invitation to the organisation sent', 'low', { ordinary: 'daily' }],
      ['org.add_outside_collaborator', 'Outside collaborator added', 'low', { better: grants }],
      ['business.invite_unaffiliated_member', 'Member of no organisation invited', 'low'],
      [
        'repo.add_member',
        'Collaborator added or given another right',
        'low',
        { also: ['repo.update_member'], better: grants, ordinary: 'daily' },
      ],
      ['team.add_member', 'Member of a team added', 'low', { better: grants, ordinary: 'daily' }],
      [
        'team.add_repository',
        'Team given rights on a repository',
        'low',
        { also: ['team.update_repository_permission'], better: grants, ordinary: 'daily' },
      ],
      ['team.change_parent_team', 'Team put beneath another', 'low', { better: grants }],
      ['team.create', 'Team made', 'low', { ordinary: 'daily' }],
      ['org.unblock_user', 'Blocked account let in again', 'low'],
    ],
  ],
  [
    leavers,
    [
      ['org.remove_member', 'Member removed', 'low', { also: ['business.remove_member'], ordinary: 'daily' }],
      ['business.remove_admin', 'Enterprise owner removed', 'medium'],
      ['org.remove_outside_collaborator', 'Outside collaborator removed', 'low', { ordinary: 'weekly' }],
      ['repo.remove_member', 'Collaborator removed', 'low', { ordinary: 'daily' }],
      ['team.remove_member', 'Member of a team removed', 'low', { ordinary: 'daily' }],
      ['team.remove_repository', 'Team’s rights on a repository taken away', 'low', { ordinary: 'daily' }],
      ['team.destroy', 'Team deleted', 'low', { ordinary: 'weekly' }],
      ['org.remove_security_manager', 'Security manager removed', 'low'],
      ['org.block_user', 'Account blocked from the organisation', 'low', { ordinary: 'weekly' }],
    ],
  ],
  [
    basePermissions,
    [
      [
        'org.update_default_repository_permission',
        'Right of all members on all repositories changed',
        'medium',
        { also: ['business.update_default_repository_permission', 'business.clear_default_repository_permission'] },
      ],
      [
        'org.update_member_repository_creation_permission',
        'Whether members may make repositories or invite changed',
        'low',
        {
          also: [
            ...['org.update_member_repository_invitation_permission'],
            ...['business.update_member_repository_creation_permission'],
            ...['business.update_member_repository_invitation_permission', 'business.clear_members_can_create_repos'],
          ],
        },
      ],
      [
        'members_can_delete_repos.enable',
        'Members may delete repositories',
        'medium',
        { also: ['members_can_delete_repos.clear'] },
      ],
      [
        'repository_visibility_change.enable',
        'Members may make repositories public',
        'medium',
        { also: ['repository_visibility_change.clear'] },
      ],
      ['business.update_unaffiliated_users_policy', 'Policy on members of no organisation changed', 'medium'],
    ],
  ],
  [
    ended,
    [
      ['business.delete', 'Enterprise deleted', 'high'],
      ['org.delete', 'Organisation deleted', 'high', { also: ['org.async_delete'] }],
      ['business.remove_organization', 'Organisation taken out of the enterprise', 'medium'],
      ['org.transfer', 'Organisation moved to another enterprise', 'medium', { also: ['org.transfer_outgoing'] }],
    ],
  ],
];
