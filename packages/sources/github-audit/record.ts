import { createHash } from 'node:crypto';
import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, eventTypes } from '@tripline/contracts/event';
import { canBeRepository, repositoryName } from '../github/body.ts';
import type { EventOfMany, Ignored } from '../source.ts';
import { identifier, loginText, text, utc } from '../untrusted.ts';
import type { NamedOwner, Whose } from '../workspace.ts';
import { actOf } from './acts.ts';
import { type AuditFields, auditFields, type Draft, type Telling } from './fields.ts';
import { flatRecord } from './flat.ts';
import { tellingOf } from './tellings.ts';

/** What is known beside a record: when it came, how surely it is GitHub's, and whose it is. */
export type RecordContext = {
  receivedAtMs: number;
  trust: 'high' | 'medium';
  /** By those whom the record names, the organisation first; none where it names nobody. */
  whose: (owners: readonly NamedOwner[]) => Whose;
  /** By the enterprise's short name, of a record that names no organisation; undefined where that says nothing. */
  whoseEnterprise?: (enterprise: string) => Whose | undefined;
};

const recorded = 'dev.cdeventsx.tripline-audit.recorded' satisfies EventType;

/**
 * One record of GitHub's audit log, streamed or polled, as an event: the same record gives the same `source` and `id`, by
 * whichever way it comes. What no more specific type tells is `tripline-audit.recorded`. Pure; never throws.
 */
export function eventOfRecord(
  record: Readonly<Record<string, unknown>>,
  context: RecordContext,
): EventOfMany | Ignored {
  const fitted = auditFields.safeParse(record);
  if (!fitted.success)
    return { ignored: 'unexpected-shape', unread: { content: record, why: 'its action has not 1 to 200 characters' } };
  const fields = fitted.data;
  const organization = organizationOf(fields);
  const repository = fields.repo ?? fields.repository ?? undefined;
  const login = loginText(organization?.login);
  const named = login === undefined ? {} : { organization: login };
  if (repository !== undefined && !canBeRepository(repository))
    return { ignored: 'impossible-name', ...named, unread: { content: record } };
  const whose = ownersOf(fields, organization, repository, context);
  if ('refusal' in whose) return { ignored: 'unknown-organization', ...named };
  if ('ignored' in whose) return { ...whose, ...named };

  const toldAt = timeOf(fields['@timestamp']) ?? timeOf(fields.created_at);
  const id = idOf(record, fields);
  const around: Draft = {
    'user.id': identifier(fields.actor_id),
    'user.name': loginText(fields.actor),
    'user.type': fields.actor_is_bot === true ? 'Bot' : undefined,
    'vcs.provider.name': 'github',
    'vcs.owner.name': login,
    'vcs.owner.id': organization?.id,
    'vcs.repository.name': repositoryName(repository),
    'vcs.repository.id': identifier(fields.repo_id ?? fields.repository_id),
    'tripline.repository.visibility': visibilityOf(fields),
    'client.address': text(fields.actor_ip || undefined, 256),
    'user_agent.original': text(fields.user_agent),
    'tripline.credential.token_hash': identifier(fields.hashed_token),
    'tripline.credential.id': identifier(fields.token_id),
    'tripline.audit.action': text(fields.action, 512),
    'tripline.audit.id': id,
    'tripline.audit.record': flatRecord(record),
    'tripline.time.received': toldAt === undefined ? true : undefined,
  };
  const { type, data } = whole(tellingOf(fields, record), around);
  const time = toldAt ?? new Date(context.receivedAtMs).toISOString();
  Object.assign(data, actOf(fields, type, data, time));
  return {
    id: `github-audit:${id}`,
    source: login === undefined ? '//github.com' : `//github.com/${encodeURIComponent(login)}`,
    type,
    time,
    workspace: whose.workspace,
    trust: context.trust,
    data,
  } as EventOfMany;
}

/** The record's own id or, where it has none, the hash of what it says, in whatever order its fields came. */
function idOf(record: Readonly<Record<string, unknown>>, { _document_id }: AuditFields): string {
  const own = String(_document_id ?? '');
  if (/^[\w.:+/=-]{1,200}$/.test(own)) return own;
  return `sha256:${createHash('sha256')
    .update(JSON.stringify(sorted(record)))
    .digest('hex')}`;
}

/** A JSON value with all keys in one order. Bodies are at most 64 levels deep. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([key, inner]) => [key, sorted(inner)]);
}

/** The organisation that the record is about; a record about several is about none of them alone. */
function organizationOf({ org, org_id }: AuditFields): NamedOwner | undefined {
  const only = <One>(given: One | One[] | null | undefined) =>
    Array.isArray(given) ? (given.length === 1 ? given[0] : undefined) : given;
  const login = only(org);
  return login ? { login, id: identifier(only(org_id)) } : undefined;
}

/**
 * Whose the record is: its organisation's and its repository's owner's, both of whom the sender must speak for. A record of the
 * enterprise itself belongs to the workspace that names the enterprise, else to that which is called like it, else to the only one
 * that the sender speaks for.
 */
function ownersOf(
  { business }: AuditFields,
  organization: NamedOwner | undefined,
  repository: string | undefined,
  { whose, whoseEnterprise }: RecordContext,
): Whose {
  const owners = organization === undefined ? [] : [organization];
  const holder = repository?.slice(0, repository.indexOf('/'));
  if (holder !== undefined && holder.toLowerCase() !== organization?.login.toLowerCase())
    owners.push({ login: holder, id: undefined });
  if (owners.length > 0) return whose(owners);
  const configured = business ? whoseEnterprise?.(business) : undefined;
  if (configured !== undefined) return configured;
  // An enterprise's ids are not those of organisations.
  const ofEnterprise = business ? whose([{ login: business, id: undefined }]) : undefined;
  return ofEnterprise !== undefined && 'workspace' in ofEnterprise ? ofEnterprise : whose([]);
}

/** Ms since the epoch, unlike other times of GitHub's, or RFC 3339. */
function timeOf(value: string | number | null | undefined): string | undefined {
  if (typeof value !== 'number') return utc(value);
  return Number.isFinite(value) ? utc(new Date(Math.min(Math.max(value, -1), 8e15)).toISOString()) : undefined;
}

const visibilities = new Set(['public', 'private', 'internal']);
function visibilityOf({
  visibility,
  public_repo,
  repo,
  repository,
}: AuditFields): Draft['tripline.repository.visibility'] {
  if ((repo ?? repository) == null) return undefined;
  if (visibility && visibilities.has(visibility)) return visibility as 'public';
  return public_repo === true ? 'public' : undefined;
}

/** All that is told; where the type's own attributes are not, the record as it stands. */
function whole(telling: Telling | undefined, around: Draft): { type: EventType; data: Attributes } {
  const data = withoutAbsent({ ...around, ...telling?.data });
  if (telling !== undefined && eventTypes[telling.type].every((name) => data[name] !== undefined))
    return { type: telling.type, data };
  return { type: recorded, data: withoutAbsent(around) };
}

const withoutAbsent = (draft: Draft): Attributes =>
  Object.fromEntries(Object.entries(draft).filter(([, value]) => value !== undefined)) as Attributes;
