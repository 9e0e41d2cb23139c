import { createHash } from 'node:crypto';
import type { Json } from './bodies.ts';
import type { Chance } from './chance.ts';
import type { Organisation, Person, Repository } from './organisation.ts';

/**
 * One act as the audit log tells it: documented action and fields, https://docs.github.com/en/enterprise-cloud@latest/admin/monitoring-activity-in-your-enterprise/reviewing-audit-logs-for-your-enterprise/audit-log-events-for-your-enterprise.
 * `more`: fields beside those that all records have. Without `repository` it is the organisation's.
 */
export type Act = {
  action: string;
  by: Person;
  repository?: Repository | null | undefined;
  /** From where; a person's place of work unless told otherwise. */
  from?: Place;
  more?: Json;
};
/** `token`: hash of the credential, which browsers have none of. */
export type Place = { address: string; client: string; token?: string; access?: string };

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64');

const browser = 'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0';
/** Where somebody works: at the office, at home, or for a bot always from the same machine. */
export function addressOf(chance: Chance, { id, isBot }: Person): string {
  if (isBot) return `203.0.113.${10 + (id % 200)}`;
  return chance.percent(40) ? `192.0.2.${10 + (id % 40)}` : `10.${(id >> 8) % 250}.${id % 250}.17`;
}

/** A record as GitHub writes it, with addresses disclosed. */
export function recordOf(
  { organisation, chance }: { organisation: Organisation; chance: Chance },
  { action, by, repository, from, more }: Act,
  nowMs: number,
): Json {
  const place = from ?? { address: addressOf(chance, by), client: by.isBot ? 'acme-tools/3' : browser };
  return {
    '@timestamp': nowMs,
    _document_id: Buffer.from(`month-${chance.serial()}`).toString('base64url'),
    ...{ action, actor: by.login, actor_id: by.id, actor_is_bot: by.isBot, actor_ip: place.address },
    ...{ actor_location: { country_code: 'SE' }, user_agent: place.client },
    ...{ business: 'acme-inc', business_id: 5, created_at: nowMs },
    ...{ org: organisation.login, org_id: organisation.id, operation_type: operationOf(action) },
    ...(place.token === undefined ? {} : { hashed_token: place.token, programmatic_access_type: place.access }),
    ...(repository
      ? {
          ...{ repo: `${organisation.login}/${repository.name}`, repo_id: repository.id },
          ...{ public_repo: repository.isPublic },
        }
      : {}),
    ...more,
  };
}

function operationOf(action: string): string {
  const verb = action.slice(action.indexOf('.') + 1);
  if (/^(?:create|add|grant|register|enable)/.test(verb)) return 'create';
  if (/^(?:remove|delete|destroy|disable|revoke)/.test(verb)) return 'remove';
  return /^(?:clone|fetch|login|sso_response)/.test(verb) ? 'access' : 'modify';
}

/** At most so many records a body. */
const mostRecords = 500;
/** A body is sent so long after its first record. */
const gathersMs = { least: 4000, most: 30_000 };

/** A body as it is sent to an HTTP Event Collector: objects one after the other. */
export type StreamBody = { body: Buffer; records: number };

/**
 * The stream of an audit log: records are gathered for some seconds and sent in one body. While it is broken they are kept, and sent
 * in full bodies afterwards, as GitHub does.
 */
export function createAuditStream(of: {
  chance: Chance;
  at: (ms: number, what: () => void) => void;
  now: () => number;
  send: (body: StreamBody) => void;
}) {
  const { chance, at, now, send } = of;
  const open: Json[] = [];
  let broken = { fromMs: Number.POSITIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };

  function flush(): void {
    if (now() >= broken.fromMs && now() < broken.toMs) {
      at(broken.toMs, flush);
      return;
    }
    while (open.length > 0) {
      const records = open.splice(0, mostRecords);
      const wrapped = records.map((event) =>
        JSON.stringify({ time: now() / 1000, host: 'github.com', source: 'github-audit', event }),
      );
      send({ body: Buffer.from(wrapped.join('\n')), records: records.length });
    }
  }

  return {
    add(record: Json): void {
      if (open.length === 0) at(now() + chance.between(gathersMs.least, gathersMs.most), flush);
      open.push(record);
    },
    /** From when to when nothing is sent. */
    breakDown(fromMs: number, toMs: number): void {
      broken = { fromMs, toMs };
    },
    isBroken: () => now() >= broken.fromMs && now() < broken.toMs,
  };
}
