import type { AnyRule } from '@tripline/contracts/rule';
import { rulesOf, type Tables } from '../builders/table.ts';
import { auditTrail } from './audit-log.ts';
import { signIn } from './sign-in.ts';

/**
 * Acts that are worth a finding by themselves, by the provider's own word for them. A row is one rule; which table it stands in
 * says what it means. A new family has a line here.
 */
export const tables: Tables = [...signIn, ...auditTrail];

export const rules: readonly AnyRule[] = tables.flatMap(([table, rows]) => rulesOf(table, rows));
