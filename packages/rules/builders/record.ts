import type { Attributes } from '@tripline/contracts/attributes';
import { clip } from '@tripline/contracts/text';

/** A record of an audit log, as events carry it. */
export type AuditRecord = NonNullable<Attributes['tripline.audit.record']>;
type Conditions = Readonly<Record<string, readonly string[]>>;

/** Whether a field of the record says one of the values, as text in lower case; of a list, whether a member does. */
export function recordSays(record: AuditRecord, field: string, values: readonly string[]): boolean {
  return saidOf(record, field).some((one) => values.includes(one.toLowerCase()));
}

/** What a field says, each member of a list; `list.field` of a list whose members are objects. */
function saidOf(record: AuditRecord, field: string): string[] {
  if (Object.hasOwn(record, field)) {
    const said = record[field];
    const all = Array.isArray(said) ? said : [said];
    return all.flatMap((one) => (one === undefined || one === null ? [] : [String(one)]));
  }
  const dot = field.lastIndexOf('.');
  const list = dot > 0 && Object.hasOwn(record, field.slice(0, dot)) ? record[field.slice(0, dot)] : undefined;
  return Array.isArray(list) ? list.flatMap((one) => memberOf(one, field.slice(dot + 1))) : [];
}

/** Members of lists that are no text stand in a record as JSON, which may have been clipped. */
function memberOf(member: unknown, name: string): string[] {
  try {
    const value = (JSON.parse(String(member)) as Record<string, unknown> | null)?.[name];
    return typeof value === 'string' || typeof value === 'number' ? [String(value)] : [];
  } catch {
    return [];
  }
}

/** The enterprise that a record is about. */
export function enterpriseOf({ business }: AuditRecord): string | undefined {
  return typeof business === 'string' && business !== '' ? business : undefined;
}

/** Conditions as the catalogue writes them. */
export const inWords = (says: Conditions, unless: Conditions): string[] => [
  ...Object.entries(says).map(([field, values]) => `where \`${field}\` is ${values.join(' or ')}`),
  ...Object.entries(unless).map(([field, values]) => `unless \`${field}\` is ${values.join(' or ')}`),
];

/** Fields that say whom or what an act concerned. */
const shown = [
  ...['user', 'invitee', 'team', 'role', 'permission', 'old_permission', 'old_repo_permission', 'new_repo_permission'],
  ...['visibility', 'previous_visibility', 'branch', 'ruleset_name', 'environment_name', 'name', 'title', 'key'],
  ...['integration', 'oauth_application_name', 'runner_name', 'runner_group_name', 'event', 'conclusion', 'reason'],
];

/** What a record says of whom or what it concerns, in its own words. */
export function whatItSays(record: AuditRecord): string {
  const said = shown.flatMap((field) => {
    const value = Object.hasOwn(record, field) ? record[field] : undefined;
    return value === undefined || value === null || value === '' ? [] : [`${field} ${clip(String(value), 100)}`];
  });
  return clip(said.join(', '), 500);
}
