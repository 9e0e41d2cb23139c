import type { Table, Tables } from '../builders/table.ts';
import { ask, audit } from './audit.ts';

const agents: Table = {
  ...audit,
  ...{ principles: [1, 4], attack: ['T1199', 'T1685'], owasp: ['CICD-SEC-8', 'CICD-SEC-4'] },
  why: 'An assistant that reads and writes code may reach other servers or tools than before.',
  remedy: [`${ask}; put it back unless it was.`],
  falseAlarms: ['Tools that are brought in as planned: an exception for who does so.'],
};
const workspaces: Table = {
  ...agents,
  attack: ['T1078.004', 'T1213.003'],
  owasp: ['CICD-SEC-7'],
  why: 'A codespace holds code and secrets on a machine of its own, and may be trusted with other repositories.',
};

export const assistants: Tables = [
  [
    agents,
    [
      [
        'mcp_registry.allowlist_add_server',
        'Servers that assistants may use widened',
        'medium',
        {
          also: [
            ...['mcp_registry.allowlist_set_server_entries', 'mcp_registry.allowlist_update'],
            ...['mcp_registry.allowlist_delete', 'mcp_registry.allowlist_remove_assignment'],
            ...['mcp_registry.settings_update'],
          ],
        },
      ],
      [
        'mcp_registry.allowlist_create',
        'Servers that assistants may use narrowed or listed',
        'low',
        { also: ['mcp_registry.allowlist_assign', 'mcp_registry.allowlist_remove_server'] },
      ],
      [
        'copilot.swe_agent_firewall_allowlist_updated',
        'What the coding agent may reach changed',
        'medium',
        { also: ['copilot.swe_agent_mcp_config_updated'] },
      ],
      [
        'copilot.swe_agent_repo_enabled',
        'Coding agent switched on or off for repositories',
        'low',
        { also: ['copilot.swe_agent_repo_disabled', 'copilot.swe_agent_repo_enablement_updated'] },
      ],
      ['copilot.content_exclusion_changed', 'What assistants may not read changed', 'low'],
      [
        'copilot.custom_instructions_created',
        'Instructions to assistants for all changed',
        'low',
        { also: ['copilot.custom_instructions_updated'] },
      ],
    ],
  ],
  [
    workspaces,
    [
      [
        'org.codespaces_trusted_repo_access_granted',
        'Codespaces trusted with other repositories',
        'medium',
        {
          also: [
            ...['repo.codespaces_trusted_repo_access_granted', 'user.codespaces_trusted_repo_access_granted'],
            ...['codespaces.trusted_repositories_access_update'],
          ],
        },
      ],
      [
        'codespaces.policy_group_deleted',
        'Policy on codespaces changed or deleted',
        'low',
        {
          also: [
            ...['codespaces.policy_group_updated', 'org.codespaces_access_updated'],
            ...['org.codespaces_ownership_updated', 'codespaces.business_enablement_updated'],
          ],
        },
      ],
      ['codespaces.destroy', 'Codespace deleted', 'low', { ordinary: 'daily' }],
    ],
  ],
];
