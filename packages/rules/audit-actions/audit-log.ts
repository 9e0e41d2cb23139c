import type { Table, Tables } from '../builders/table.ts';
import { ask, audit } from './audit.ts';

const auditLog: Table = {
  ...audit,
  ...{ principles: [5], attack: ['T1685.002'], owasp: ['CICD-SEC-10'] },
  why: 'What is done from now on may be recorded nowhere that is watched.',
  remedy: [
    'Put the stream back, and read the provider’s own log of the time in between: start with what {user.name} did.',
  ],
  falseAlarms: ['A stream that is moved to another receiver: an exception for who moves it, until then.'],
};
const reading: Table = {
  ...audit,
  ...{ principles: [5], attack: ['T1530', 'T1654'], owasp: ['CICD-SEC-10'] },
  why: 'A copy of the audit log says who may do what, and what is watched.',
  remedy: [`${ask}, and where the copy lies.`],
  falseAlarms: ['Audits and reports: an exception for who writes them.'],
};
const hooks: Table = {
  ...audit,
  ...{ principles: [5], attack: ['T1685', 'T1020'], owasp: ['CICD-SEC-8', 'CICD-SEC-10'] },
  why: 'A webhook carries what happens in a repository or organisation to somebody else’s machine; without one, a watcher such as this one is told nothing.',
  remedy: [`${ask}, and whose address it is.`],
  falseAlarms: ['Teams connect tools all the time: worth reading for the organisation’s own hooks.'],
};

/** What is switched off before a feed falls silent is told with that. */
const silences = ['control-disabled-or-audit-silenced'] as const;

export const auditTrail: Tables = [
  [
    auditLog,
    [
      ['audit_log_streaming.destroy', 'Audit stream deleted', 'high', { joins: silences }],
      ['audit_log_streaming.update', 'Audit stream changed', 'medium', { joins: silences }],
      [
        'org.disable_source_ip_disclosure',
        'Addresses no longer in the audit log',
        'medium',
        { also: ['business.disable_source_ip_disclosure'] },
      ],
    ],
  ],
  [
    reading,
    [
      ['audit_log_streaming.create', 'Another audit stream added', 'medium'],
      [
        'org.audit_log_export',
        'Audit log exported',
        'low',
        {
          also: [
            ...['org.audit_log_git_event_export', 'business.audit_log_export'],
            ...['business.audit_log_git_event_export', 'user.audit_log_export'],
          ],
          ordinary: 'at-scale',
        },
      ],
    ],
  ],
  [
    hooks,
    [
      ['hook.create', 'Webhook added', 'low', { ordinary: 'weekly' }],
      ['hook.destroy', 'Webhook deleted', 'low', { ordinary: 'weekly', joins: silences }],
      [
        'hook.config_changed',
        'Webhook changed',
        'low',
        { also: ['hook.events_changed', 'hook.active_changed'], ordinary: 'weekly', joins: silences },
      ],
    ],
  ],
];
