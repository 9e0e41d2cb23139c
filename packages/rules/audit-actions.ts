import type { AnyRule } from '@tripline/contracts/rule';
import { type Row, rulesOf, type Table } from './builders/table.ts';

/**
 * Acts that are worth a finding by themselves, by the provider's own word for them. A row is one line; which table it stands in
 * says what it means.
 */
const audit = {
  ...{ id: 'audit', attribute: 'tripline.audit.action', feeds: { needs: ['github-audit'] } },
  on: ['dev.cdeventsx.tripline-audit.recorded', 'dev.cdeventsx.tripline-control.changed'],
} as const satisfies Partial<Table>;

const secondFactor: Table = {
  ...audit,
  ...{ principles: [2, 5], attack: ['T1556.006'], owasp: ['CICD-SEC-2'] },
  why: 'From now on a stolen password or session is enough to act as a member.',
  remedy: ['Ask {user.name} whether that was meant, by another way than this account; put it back unless it was.'],
  falseAlarms: [
    'A move to another identity provider, for as long as it takes: an exception for who makes it, until then.',
  ],
};
const auditLog: Table = {
  ...audit,
  ...{ principles: [5], attack: ['T1685.002'], owasp: ['CICD-SEC-10'] },
  why: 'What is done from now on may be recorded nowhere that is watched.',
  remedy: [
    'Put the stream back, and read the provider’s own log of the time in between: start with what {user.name} did.',
  ],
  falseAlarms: ['A stream that is moved to another receiver: an exception for who moves it, until then.'],
};
/** The same weakness, at another place. */
const singleSignOn: Table = {
  ...secondFactor,
  why: 'Who was put out at the identity provider may come in again.',
  remedy: ['Ask {user.name} whether that was meant; put it back unless it was, and read who signed in since.'],
};

const tables: readonly (readonly [Table, readonly Row[]])[] = [
  [
    secondFactor,
    [
      ['org.disable_two_factor_requirement', 'Second factor no longer required', 'high'],
      ['business.disable_two_factor_requirement', 'Second factor no longer required by the enterprise', 'high'],
      ['org.clear_disallowed_two_factor_methods', 'Weak second factors allowed again', 'medium'],
    ],
  ],
  [
    auditLog,
    [
      ['audit_log_streaming.destroy', 'Audit stream deleted', 'high'],
      ['audit_log_streaming.update', 'Audit stream changed', 'medium'],
    ],
  ],
  [singleSignOn, [['org.disable_saml', 'Single sign-on switched off', 'high']]],
];

export const rules: readonly AnyRule[] = tables.flatMap(([table, rows]) => rulesOf(table, rows));
