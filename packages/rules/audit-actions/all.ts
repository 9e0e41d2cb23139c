import type { AnyRule } from '@tripline/contracts/rule';
import { rulesOf, type Tables } from '../builders/table.ts';
import { assistants } from './assistants.ts';
import { auditTrail } from './audit-log.ts';
import { codeSecurity } from './code-security.ts';
import { credentials } from './credentials.ts';
import { people } from './people.ts';
import { pipelines } from './pipelines.ts';
import { protections } from './protections.ts';
import { repositories } from './repositories.ts';
import { runners } from './runners.ts';
import { secretScanning } from './secret-scanning.ts';
import { signIn } from './sign-in.ts';

/**
 * Acts that are worth a finding by themselves, by the provider's own word for them. A row is one rule; which table it stands in
 * says what it means. A new family has a line here.
 */
export const tables: Tables = [
  ...signIn,
  ...auditTrail,
  ...people,
  ...credentials,
  ...repositories,
  ...protections,
  ...runners,
  ...pipelines,
  ...secretScanning,
  ...codeSecurity,
  ...assistants,
];

export const rules: readonly AnyRule[] = tables.flatMap(([table, rows]) => rulesOf(table, rows));
