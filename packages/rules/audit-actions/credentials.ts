import type { Table, Tables } from '../builders/table.ts';
import { ask, audit } from './audit.ts';

const tokens: Table = {
  ...audit,
  ...{ principles: [1, 3], attack: ['T1098.001', 'T1528'], owasp: ['CICD-SEC-6'] },
  why: 'Whoever holds such a token acts as its owner, without a second factor.',
  remedy: ['Ask {user.name} what it is for; revoke it unless they can say.'],
  falseAlarms: [
    'Each developer makes tokens: it is worth reading in small organisations, or with an exception for bots.',
  ],
};
const tokenPolicies: Table = {
  ...audit,
  ...{ principles: [1, 3], attack: ['T1556', 'T1098.001'], owasp: ['CICD-SEC-6'] },
  why: 'Tokens that somebody had to look at, or that ended by themselves, do so no longer.',
  remedy: [`${ask}; put it back unless it was, and read which tokens were let in since.`],
  falseAlarms: ['A new policy on tokens: resolve it as accepted.'],
};
const apps: Table = {
  ...audit,
  ...{ principles: [1], attack: ['T1199', 'T1550.001'], owasp: ['CICD-SEC-8'] },
  why: 'An app acts in the organisation by its own tokens, which are in its maker’s hands.',
  remedy: [`${ask}; suspend the app unless it was.`],
  falseAlarms: ['Apps that are set up as planned: an exception for who sets them up.'],
};
const appSecrets: Table = {
  ...apps,
  attack: ['T1098.001'],
  why: 'Whoever holds such a secret acts as the app, wherever it is installed.',
  remedy: ['Ask {user.name} where it is kept; delete it unless they can say.'],
  falseAlarms: ['Secrets of apps that are made anew on time: an exception for who does so.'],
};
const keys: Table = {
  ...audit,
  ...{ principles: [1, 2], attack: ['T1098.004'], owasp: ['CICD-SEC-6'] },
  why: 'Whoever holds the private half reads or pushes, without a second factor, for as long as the key stands.',
  remedy: ['Ask {user.name} whose key it is; delete it unless they can say.'],
  falseAlarms: ['Each developer adds keys: it is worth reading in small organisations.'],
};
const authorities: Table = {
  ...keys,
  attack: ['T1098.004', 'T1649'],
  why: 'Whoever holds such an authority’s key signs certificates for any member, and pushes as them.',
  remedy: [`${ask}; delete it unless it was, and read what was pushed by certificate since.`],
  falseAlarms: ['A certificate authority that is brought in or renewed as planned: resolve it as accepted.'],
};
const secrets: Table = {
  ...audit,
  ...{ principles: [1], attack: ['T1552.001', 'T1098'], owasp: ['CICD-SEC-6'] },
  why: 'Jobs are given other credentials than before: a value of an attacker’s sends what they publish elsewhere.',
  remedy: ['Ask {user.name} whether that was meant, and who made the value.'],
  falseAlarms: ['Rotations: an exception for the account that rotates.'],
};

const grants = ['privilege-grant-outside-job'] as const;
const tokenGrants = ['privilege-grant-outside-job', 'high-scope-token-approved'] as const;
const mayWrite = { read_only: ['false'] };

export const credentials: Tables = [
  [
    tokens,
    [
      [
        'personal_access_token.access_granted',
        'Fine-grained token let in',
        'low',
        { better: tokenGrants, ordinary: 'daily' },
      ],
      ['personal_access_token.request_created', 'Fine-grained token asked to be let in', 'low', { ordinary: 'daily' }],
      [
        'personal_access_token.access_revoked',
        'Fine-grained token shut out',
        'low',
        { also: ['personal_access_token.credential_revoked'], ordinary: 'weekly' },
      ],
      [
        'oauth_access.create',
        'Classic token or authorisation of an app made',
        'low',
        {
          also: [
            'oauth_access.regenerate',
            'personal_access_token.create',
            'personal_access_token.credential_regenerated',
          ],
          ordinary: 'daily',
        },
      ],
    ],
  ],
  [
    tokenPolicies,
    [
      [
        'personal_access_token.auto_approve_grant_requests_enabled',
        'Fine-grained tokens let in without approval',
        'medium',
        {
          also: ['auto_approve_personal_access_token_requests.enable'],
          undocumented: ['forbid_auto_approve_personal_access_token_requests.disable'],
        },
      ],
      [
        'personal_access_token.auto_approve_grant_requests_disabled',
        'Fine-grained tokens need approval',
        'low',
        {
          also: [
            ...['personal_access_token.auto_approve_grant_requests_reset'],
            ...['auto_approve_personal_access_token_requests.disable'],
          ],
          ...{ undocumented: ['forbid_auto_approve_personal_access_token_requests.enable'], tightens: true },
        },
      ],
      ['personal_access_token.expiration_limit_unset', 'Tokens may live for ever', 'medium'],
      ['personal_access_token.expiration_limit_set', 'Longest life of tokens set', 'low'],
      [
        'personal_access_token.access_restriction_disabled',
        'Tokens of a kind that was shut out let in',
        'medium',
        { also: ['personal_access_token.access_restriction_reset'] },
      ],
      ['personal_access_token.access_restriction_enabled', 'Tokens of a kind shut out', 'low', { tightens: true }],
    ],
  ],
  [
    apps,
    [
      [
        'org.disable_oauth_app_restrictions',
        'OAuth apps let in without approval',
        'high',
        { joins: ['control-disabled-or-audit-silenced'] },
      ],
      ['org.enable_oauth_app_restrictions', 'OAuth apps need approval', 'low', { tightens: true }],
      ['org.oauth_app_access_approved', 'OAuth app approved', 'low', { also: ['org.oauth_app_access_unblocked'] }],
      ['integration_installation.create', 'App installed', 'low', { better: ['app-permission-escalated', ...grants] }],
      [
        'integration_installation.version_updated',
        'App given other permissions or let in again',
        'low',
        { also: ['integration_installation.unsuspend'], better: ['app-permission-escalated'] },
      ],
      [
        'integration_installation.repositories_added',
        'App given more repositories',
        'low',
        { better: grants, ordinary: 'at-scale' },
      ],
      ['integration_installation.destroy', 'App removed', 'low', { also: ['integration_installation.suspend'] }],
      ['integration.transfer', 'App handed to another owner', 'medium', { also: ['oauth_application.transfer'] }],
    ],
  ],
  [
    appSecrets,
    [
      [
        'oauth_application.generate_client_secret',
        'Secret of an app made',
        'medium',
        { also: ['oauth_application.reset_secret', 'integration.generate_client_secret'] },
      ],
    ],
  ],
  [
    keys,
    [
      [
        'public_key.create',
        'Deploy key that may write added',
        'low',
        { as: 'may-write', says: mayWrite, better: ['deploy-key-write-added', ...grants] },
      ],
      [
        'public_key.create',
        'Key of a person, or one that only reads, added',
        'low',
        { unless: mayWrite, ordinary: 'daily' },
      ],
      ['public_key.update', 'Key changed', 'low', { also: ['public_key.verify'], ordinary: 'weekly' }],
    ],
  ],
  [
    authorities,
    [
      ['ssh_certificate_authority.create', 'Authority for SSH certificates added', 'medium'],
      ['ssh_certificate_requirement.disable', 'SSH certificates no longer required', 'medium'],
    ],
  ],
  [
    secrets,
    [
      [
        'org.create_actions_secret',
        'Secret of pipelines stored',
        'low',
        {
          also: [
            ...['repo.create_actions_secret', 'environment.create_actions_secret', 'org.create_integration_secret'],
            ...['repo.create_integration_secret', 'user.create_integration_secret'],
          ],
          undocumented: [
            ...['codespaces.create_an_org_secret', 'codespaces.create_or_update_org_secret'],
            ...['codespaces.create_or_update_repo_secret', 'codespaces.create_or_update_user_secret'],
          ],
          ordinary: 'daily',
        },
      ],
      [
        'org.update_actions_secret',
        'Secret of pipelines overwritten',
        'low',
        {
          also: [
            ...['repo.update_actions_secret', 'environment.update_actions_secret', 'org.update_integration_secret'],
            ...['repo.update_integration_secret', 'user.update_integration_secret'],
          ],
          ordinary: 'daily',
        },
      ],
      [
        'org.remove_actions_secret',
        'Secret of pipelines deleted',
        'low',
        {
          also: [
            ...['repo.remove_actions_secret', 'environment.remove_actions_secret', 'org.remove_integration_secret'],
            ...['repo.remove_integration_secret', 'user.remove_integration_secret'],
          ],
          ordinary: 'daily',
        },
      ],
    ],
  ],
];
