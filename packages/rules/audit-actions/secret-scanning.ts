import type { Table, Tables } from '../builders/table.ts';
import { ask, audit } from './audit.ts';

const scanning: Table = {
  ...audit,
  ...{ principles: [5], attack: ['T1685'], owasp: ['CICD-SEC-6'] },
  why: 'Secrets that are pushed from now on are found by nobody but whoever looks for them.',
  remedy: [`${ask}; put it back unless it was, and scan what was pushed meanwhile.`],
  falseAlarms: ['A move to another scanner, or a change of plan: an exception for who makes it, until then.'],
};
const bypassed: Table = {
  ...scanning,
  attack: ['T1552.001', 'T1685'],
  why: 'A secret that was seen in a push is in the history now, or will be.',
  remedy: ['Ask {user.name} what it opens; make it anew unless it opens nothing.'],
  falseAlarms: ['Values in tests and examples that look like secrets.'],
};
const leaked: Table = {
  ...bypassed,
  attack: ['T1552.001'],
  why: 'Whoever can read the repository can use it.',
  remedy: ['Revoke it where it comes from, then look at what it was used for.'],
};
const leaks = ['secret-leaked'] as const;

export const secretScanning: Tables = [
  [
    scanning,
    [
      [
        'secret_scanning.disable',
        'Search for secrets switched off',
        'high',
        { also: ['business_secret_scanning.disable'] },
      ],
      [
        'secret_scanning_new_repos.disable',
        'Search for secrets switched off for new repositories',
        'medium',
        { also: ['business_secret_scanning.disabled_for_new_repos'] },
      ],
      ['repository_secret_scanning.disable', 'Search for secrets switched off in a repository', 'medium'],
      [
        'org_secret_scanning_generic_secrets.disabled',
        'Search for some kinds of secrets switched off',
        'medium',
        {
          also: [
            ...[
              'business_secret_scanning_generic_secrets.disabled',
              'org_secret_scanning_non_provider_patterns.disabled',
            ],
            ...['business_secret_scanning_non_provider_patterns.disabled', 'org_secret_scanning_custom_pattern.delete'],
            ...[
              'repository_secret_scanning_generic_secrets.disabled',
              'business_secret_scanning_custom_pattern.delete',
            ],
            ...['repository_secret_scanning_non_provider_patterns.disabled'],
            ...['repository_secret_scanning_custom_pattern.delete'],
          ],
        },
      ],
      [
        'org_secret_scanning_automatic_validity_checks.disabled',
        'Secrets that are found no longer tried',
        'low',
        {
          also: [
            ...['business_secret_scanning_automatic_validity_checks.disabled'],
            ...['repository_secret_scanning_automatic_validity_checks.disabled'],
            ...['repository_secret_scanning_extended_metadata.disabled'],
          ],
        },
      ],
      [
        'org.secret_scanning_push_protection_disable',
        'Pushes of secrets no longer stopped',
        'high',
        { also: ['business_secret_scanning_push_protection.disable'] },
      ],
      [
        'org.secret_scanning_push_protection_new_repos_disable',
        'Pushes of secrets no longer stopped in new repositories',
        'medium',
        { also: ['business_secret_scanning_push_protection.disabled_for_new_repos'] },
      ],
      [
        'repository_secret_scanning_push_protection.disable',
        'Pushes of secrets no longer stopped in a repository',
        'medium',
      ],
      [
        'org.secret_scanning_custom_pattern_push_protection_disabled',
        'Pushes of some kinds of secrets no longer stopped',
        'medium',
        {
          also: [
            ...['business_secret_scanning_custom_pattern_push_protection.disabled'],
            ...['repository_secret_scanning_custom_pattern_push_protection.disabled'],
            ...['org_secret_scanning_push_protection_pattern_configuration.push_protection_setting_changed'],
            ...['org_secret_scanning_push_protection_pattern_configuration.updated'],
            ...['business_secret_scanning_push_protection_pattern_configuration.push_protection_setting_changed'],
            ...['business_secret_scanning_push_protection_pattern_configuration.updated'],
          ],
        },
      ],
      [
        'business_secret_scanning_push_protection_custom_message.disable',
        'Word on a stopped push switched off',
        'medium',
        { also: ['org.secret_scanning_push_protection_custom_message_disabled'] },
      ],
    ],
  ],
  [
    bypassed,
    [
      [
        'secret_scanning_push_protection.bypass',
        'Secret pushed in spite of the warning',
        'low',
        {
          also: ['secret_scanning_push_protection_request.complete'],
          ...{ undocumented: ['bypass', 'secret_scanning_push_protection.bypassed'], ordinary: 'weekly' },
        },
      ],
      ['secret_scanning_push_protection_request.approve', 'Push of a secret approved', 'low'],
      [
        'secret_scanning_push_protection_request.request',
        'Push of a secret asked for, or refused',
        'low',
        {
          also: ['secret_scanning_push_protection_request.deny', 'secret_scanning_push_protection_request.cancel'],
          ordinary: 'daily',
        },
      ],
      [
        'org_secret_scanning_push_protection_bypass_list.add',
        'Somebody more may push secrets or approve it',
        'medium',
        {
          also: [
            ...['org_secret_scanning_push_protection_bypass_list.disable'],
            ...['repository_secret_scanning_push_protection_bypass_list.add'],
            ...['repository_secret_scanning_push_protection_bypass_list.disable'],
          ],
        },
      ],
    ],
  ],
  [
    leaked,
    [
      ['secret_scanning_alert.public_leak', 'Secret found in a public place', 'low', { better: leaks }],
      ['secret_scanning_alert.create', 'Secret found in a repository', 'low', { better: leaks, ordinary: 'weekly' }],
      ['secret_scanning_alert.delete', 'Alert of a secret deleted', 'low'],
    ],
  ],
];
