import type { LoggedEvent } from '@tripline/contracts/event';
import { placeOf } from '@tripline/contracts/place';
import type { Intent } from '@tripline/contracts/response';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import type { Sight } from './builders/own-fact.ts';

/** What the audit log’s record of a role that was given tells, and how it is said. */

export const assignedSchema = z.object({
  organization: z.string(),
  organizationId: z.string().optional(),
  role: z.string().optional(),
  roleId: z.string().optional(),
  /** Who has it now: a person, or a team. */
  user: z.string().optional(),
  userId: z.string().optional(),
  team: z.string().optional(),
  provider: z.string(),
  instance: z.string(),
  /** Id of the record, and from where it was done. */
  record: z.string().optional(),
  address: z.string().optional(),
});
export type Assigned = z.infer<typeof assignedSchema>;

export const said = ({ by, data: { organization, role, user, team, record } }: Sight<Assigned>): string =>
  `${by.name} gave ${user ?? (team === undefined ? 'somebody unnamed' : `team ${team}`)} the role ${role ?? 'that the record does not name'} in ${organization}` +
  (record === undefined ? '' : ` (record ${record})`);

/** Of one who was given it in person: what a team has is left to people. */
export function withoutRole({
  user,
  userId,
  role,
  roleId,
  organization,
  organizationId,
  provider,
  instance,
}: Assigned) {
  if (user === undefined || role === undefined) return [];
  const ids = { ...(organizationId && { organizationId }), ...(userId && { userId }), ...(roleId && { roleId }) };
  const step: Intent = {
    action: 'revoke-grant',
    grant: 'org-role',
    ...{ provider, instance, organization, user, role, ...ids },
  };
  return [step];
}

export function assignedBy(event: LoggedEvent): Assigned {
  const { data } = event;
  const record = data['tripline.audit.record'] ?? {};
  const text = (field: string) => {
    const value = record[field];
    return typeof value === 'string' && value !== '' ? clip(value, 200) : undefined;
  };
  const id = (field: string) => {
    const value = record[field];
    return typeof value === 'number' ? String(value) : text(field);
  };
  const [organizationId, auditId, address] = [data['vcs.owner.id'], data['tripline.audit.id'], data['client.address']];
  return {
    ...placeOf(event),
    organization: clip(data['vcs.owner.name'] ?? event.source, 200),
    ...defined({ organizationId, role: text('organization_role_name'), roleId: id('organization_role_id') }),
    ...defined({ user: text('user'), userId: id('user_id'), team: text('team') }),
    ...defined({ record: auditId, address: address === undefined ? undefined : clip(address, 200) }),
  };
}

/** Without what is undefined: what is kept is JSON. */
const defined = <T extends Record<string, string | undefined>>(all: T) =>
  Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as {
    [Name in keyof T]?: string;
  };
