import type { Table, Tables } from '../builders/table.ts';
import { ask, audit } from './audit.ts';

const dependencies: Table = {
  ...audit,
  ...{ principles: [5], attack: ['T1195.001', 'T1685'], owasp: ['CICD-SEC-3'] },
  why: 'A dependency with a known weakness, or a malicious one, is reported to nobody.',
  remedy: [`${ask}; put it back unless it was.`],
  falseAlarms: ['A move to another scanner, and repositories that are given up: an exception for who makes it.'],
};
const analysis: Table = {
  ...dependencies,
  attack: ['T1685'],
  owasp: ['CICD-SEC-7'],
  why: 'Weaknesses in code are looked for less than before.',
};

const daily = (...names: readonly string[]) => ({ also: names, ordinary: 'daily' as const });

export const codeSecurity: Tables = [
  [
    dependencies,
    [
      [
        'dependabot_alerts.disable',
        'Alerts of weak dependencies switched off',
        'high',
        { also: ['business_dependabot_alerts.disable', 'dependency_graph.disable'] },
      ],
      [
        'dependabot_alerts_new_repos.disable',
        'Alerts of weak dependencies switched off for new repositories',
        'medium',
        { also: ['business_dependabot_alerts_new_repos.disable', 'dependency_graph_new_repos.disable'] },
      ],
      [
        'repository_vulnerability_alerts.disable',
        'Alerts of weak dependencies switched off in a repository',
        'low',
        { also: ['repository_dependency_graph.disable', 'repository_malware_alerts.disable'], ordinary: 'weekly' },
      ],
      ['dependabot_security_updates.disable', 'Repair of weak dependencies switched off', 'medium'],
      [
        'dependabot_security_updates_new_repos.disable',
        'Repair of weak dependencies switched off for new repositories',
        'medium',
      ],
      [
        'repository_security_updates.disable',
        'Repair of weak dependencies switched off in a repository',
        'low',
        { also: ['repository_dependency_graph_autosubmit.disable'], ordinary: 'weekly' },
      ],
      [
        'repository_vulnerability_alert.dismiss',
        'Alert of a weak dependency dismissed',
        'low',
        { ordinary: 'at-scale' },
      ],
      [
        'vulnerability_alert_rule.create',
        'Rule that dismisses alerts made or enforced',
        'low',
        {
          also: [
            ...['vulnerability_alert_rule.update', 'vulnerability_alert_rule.enable'],
            ...['vulnerability_alert_rule.force_enable', 'repository_vulnerability_alerts_auto_dismissal.enable'],
          ],
        },
      ],
      [
        'vulnerability_alert_rule.force_disable',
        'Rule that dismisses alerts switched off',
        'low',
        { also: ['vulnerability_alert_rule.disable', 'vulnerability_alert_rule.delete'] },
      ],
      [
        'private_vulnerability_reporting.disable',
        'Private reports of weaknesses no longer taken',
        'low',
        { also: ['private_vulnerability_reporting_new_repos.disable'] },
      ],
      ['repository_vulnerability_alert.auto_dismiss', 'Alert of a weak dependency dismissed by a rule', 'low', daily()],
    ],
  ],
  [
    analysis,
    [
      [
        'business_advanced_security.disabled',
        'Code security switched off everywhere',
        'high',
        {
          also: [
            'org.advanced_security_disabled_on_all_repos',
            'business_advanced_security.user_namespace_repos_disabled',
          ],
        },
      ],
      [
        'org.advanced_security_disabled_for_new_repos',
        'Code security switched off for new repositories',
        'medium',
        {
          also: [
            ...['business_advanced_security.disabled_for_new_repos'],
            ...['business_advanced_security.disabled_for_new_user_namespace_repos'],
            ...['org.advanced_security_policy_selected_member_disabled'],
          ],
          undocumented: ['repo.advanced_security_policy_selected_member_disabled'],
        },
      ],
      [
        'repo.advanced_security_disabled',
        'Code security switched off in a repository',
        'medium',
        { also: ['repository_code_security.disable', 'repository_content_analysis.disable'] },
      ],
      ['org.codeql_disabled', 'Code scanning switched off everywhere', 'medium'],
      [
        'repo.codeql_disabled',
        'Code scanning of a repository switched off or its results deleted',
        'low',
        {
          also: [
            ...['repo.code_scanning_analysis_deleted', 'repo.code_scanning_configuration_for_branch_deleted'],
            ...['repo.code_scanning_delegated_alert_dismissal_disabled', 'repo.code_scanning_ai_findings_disabled'],
            ...['repo.code_scanning_autofix_disabled', 'repo.code_scanning_autofix_third_party_tools_disabled'],
            ...['org.code_scanning_ai_findings_disabled', 'org.code_scanning_autofix_disabled'],
            ...['org.code_scanning_autofix_third_party_tools_disabled'],
            ...['org.code_scanning_scan_inactive_repos_disabled'],
          ],
        },
      ],
      [
        'security_configuration.delete',
        'Set of security settings deleted or no longer the default',
        'medium',
        {
          also: [
            ...['security_configuration_default.delete', 'repository_security_configuration.removed'],
            ...['repository_security_configuration.removed_by_settings_change'],
          ],
        },
      ],
      [
        'security_configuration.update',
        'Set of security settings changed',
        'low',
        { also: ['security_configuration_default.update', 'security_configuration_policy.update'] },
      ],
      ['restrict_notification_delivery.disable', 'Mail may go to addresses outside', 'low'],
      [
        'code_scanning.alert_closed_by_user',
        'Alert of code scanning dismissed',
        'low',
        daily('code_scanning.alert_closure_approved'),
      ],
    ],
  ],
];
