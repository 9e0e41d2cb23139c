import type { Table, Tables } from '../builders/table.ts';
import { ask, audit } from './audit.ts';

const secondFactor: Table = {
  ...audit,
  ...{ principles: [2, 5], attack: ['T1556.006'], owasp: ['CICD-SEC-2'] },
  why: 'From now on a stolen password or session is enough to act as a member.',
  remedy: [`${ask}; put it back unless it was.`],
  falseAlarms: [
    'A move to another identity provider, for as long as it takes: an exception for who makes it, until then.',
  ],
};
const singleSignOn: Table = {
  ...audit,
  ...{ principles: [2, 5], attack: ['T1556.006', 'T1484.002'], owasp: ['CICD-SEC-2'] },
  why: 'Who was put out at the identity provider may come in again, and whoever holds another provider’s keys may come in as anybody.',
  remedy: [`${ask}; put it back unless it was, and read who signed in since.`],
  falseAlarms: [
    'A move to another identity provider or a renewed certificate of it: an exception for who makes it, until then.',
  ],
};
const recovery: Table = {
  ...audit,
  ...{ principles: [2], attack: ['T1552', 'T1556'], owasp: ['CICD-SEC-2', 'CICD-SEC-6'] },
  why: 'Whoever holds such a code signs in as an owner without the identity provider.',
  remedy: [`${ask}, and where the codes lie now; make new ones unless they can say.`],
  falseAlarms: [
    'Codes that are stored anew once a year, or used while the identity provider is down: resolve it as accepted.',
  ],
};
const authorisation: Table = {
  ...audit,
  ...{ principles: [2], attack: ['T1550.001'], owasp: ['CICD-SEC-6'] },
  why: 'A token or key of a member is, or is no longer, let in past single sign-on.',
  remedy: ['Ask the member whether the token or key is theirs; revoke it in the organisation’s settings unless it is.'],
  falseAlarms: ['Each member does so once a token: it is worth reading only in small organisations.'],
};
const network: Table = {
  ...audit,
  ...{ principles: [2], attack: ['T1685', 'T1133'], owasp: ['CICD-SEC-7'] },
  why: 'Stolen tokens and sessions now work from more places.',
  remedy: [`${ask}; put the list back unless it was, and read what came from new addresses since.`],
  falseAlarms: ['A new office or a new outgoing address of runners: an exception for who keeps the list.'],
};

/** What is switched off before a feed falls silent is told with that. */
const silences = ['control-disabled-or-audit-silenced'] as const;

export const signIn: Tables = [
  [
    secondFactor,
    [
      ['org.disable_two_factor_requirement', 'Second factor no longer required', 'high', { joins: silences }],
      [
        'business.disable_two_factor_requirement',
        'Second factor no longer required by the enterprise',
        'high',
        { joins: silences },
      ],
      [
        'org.enable_two_factor_requirement',
        'Second factor required from now on',
        'low',
        { also: ['business.enable_two_factor_requirement'], tightens: true },
      ],
      [
        'org.clear_disallowed_two_factor_methods',
        'Weak second factors allowed again',
        'medium',
        {
          also: [
            'org.remove_disallowed_two_factor_method',
            'business.clear_disallowed_two_factor_methods',
            'business.remove_disallowed_two_factor_method',
          ],
        },
      ],
      ['two_factor_authentication.disabled', 'Member switched their second factor off', 'medium'],
      ['two_factor_account_recovery.two_factor_destroy', 'Second factor removed by account recovery', 'medium'],
      [
        'two_factor_authentication.remove_factor',
        'One second factor of several removed',
        'low',
        { ordinary: 'at-scale' },
      ],
      [
        'two_factor_authentication.recovery_codes_regenerated',
        'Recovery codes of a member made or seen',
        'low',
        {
          also: [
            'user.two_factor_recovery_codes_downloaded',
            'user.two_factor_recovery_codes_printed',
            'user.two_factor_recovery_codes_viewed',
          ],
          ordinary: 'at-scale',
        },
      ],
    ],
  ],
  [
    singleSignOn,
    [
      [
        'org.disable_saml',
        'Single sign-on switched off',
        'high',
        { undocumented: ['org.saml_disabled'], joins: silences },
      ],
      [
        'business.disable_saml',
        'Single sign-on switched off for the enterprise',
        'high',
        { also: ['business.disable_oidc'], joins: silences },
      ],
      [
        'org.enable_saml',
        'Single sign-on switched on',
        'low',
        {
          also: ['business.enable_saml', 'business.enable_oidc'],
          ...{ undocumented: ['org.saml_enabled'], tightens: true },
        },
      ],
      [
        'org.update_saml_provider_settings',
        'Identity provider of single sign-on changed',
        'high',
        { also: ['business.update_saml_provider_settings'] },
      ],
      ['sso_redirect.disable', 'Visitors no longer sent to single sign-on', 'medium', { joins: silences }],
      ['sso_lockdown.disable', 'Members no longer held to single sign-on', 'medium', { joins: silences }],
      [
        'team_sync_tenant.disabled',
        'Teams no longer follow the identity provider',
        'medium',
        { also: ['team_sync_tenant.update_okta_credentials', 'business.disable_open_scim'] },
      ],
    ],
  ],
  [
    recovery,
    [
      [
        'org.recovery_codes_viewed',
        'Recovery codes of single sign-on seen or made',
        'medium',
        {
          also: [
            ...['org.recovery_codes_downloaded', 'org.recovery_codes_generated', 'org.recovery_codes_printed'],
            ...['business.recovery_codes_viewed', 'business.recovery_codes_downloaded'],
            ...['business.recovery_codes_generated', 'business.recovery_codes_printed'],
          ],
        },
      ],
      [
        'org.recovery_code_used',
        'Signed in by a recovery code, past single sign-on',
        'high',
        { also: ['business.recovery_code_used'] },
      ],
      [
        'org.recovery_code_failed',
        'Wrong recovery code of single sign-on tried',
        'medium',
        { also: ['business.recovery_code_failed'] },
      ],
    ],
  ],
  [
    authorisation,
    [
      ['org_credential_authorization.grant', 'Token or key let in past single sign-on', 'low', { ordinary: 'daily' }],
      [
        'org_credential_authorization.deauthorize',
        'Token or key shut out of single sign-on',
        'low',
        {
          also: ['org_credential_authorization.revoke'],
          ...{ undocumented: ['org_credential_authorization.deauthorized'], ordinary: 'daily' },
        },
      ],
    ],
  ],
  [
    network,
    [
      [
        'ip_allow_list.disable',
        'IP allow list switched off',
        'medium',
        { also: ['ip_allow_list.disable_user_level_enforcement', 'ip_allow_list.disable_idp_ip_allowlist_for_web'] },
      ],
      [
        'ip_allow_list.disable_for_installed_apps',
        'IP allow list no longer kept with apps',
        'medium',
        { also: ['ip_allow_list.enable_skip_idp_ip_allowlist_app_access'] },
      ],
      [
        'ip_allow_list_entry.create',
        'Address added to the IP allow list',
        'medium',
        { also: ['ip_allow_list_entry.update', 'ip_allow_list.update_ip_allowlist_configuration'] },
      ],
      ['ip_allow_list_entry.destroy', 'Address taken off the IP allow list', 'low', { tightens: true }],
      [
        'ip_allow_list.enable',
        'IP allow list switched on',
        'low',
        {
          also: [
            ...['ip_allow_list.enable_for_installed_apps', 'ip_allow_list.enable_user_level_enforcement'],
            ...['ip_allow_list.enable_idp_ip_allowlist_for_web'],
            ...['ip_allow_list.disable_skip_idp_ip_allowlist_app_access'],
          ],
          tightens: true,
        },
      ],
      ['business.proxy_security_header_disabled', 'Accounts of other enterprises let in by the proxy again', 'medium'],
    ],
  ],
];
