import { type AttributeName, attributes, id as idSchema } from '@tripline/contracts/attributes';
import type { TriplineEvent } from '@tripline/contracts/event';
import { guardVerdicts } from '@tripline/contracts/job';
import { intentNames } from '@tripline/contracts/response';
import { rules } from '@tripline/rules/registry';
import { z } from 'zod';
import { providerWords } from './provider-words.ts';
import type { Pseudonyms } from './pseudonyms.ts';

/** Where the provider's own words stand: attributes, and fields of those that hold objects. */
const saysWords: ReadonlySet<string> = new Set([
  ...['user.type', 'tripline.user.association', 'tripline.change.action', 'tripline.pipeline.trigger'],
  ...['tripline.credential.kind', 'tripline.credential.scopes', 'tripline.identity.method', 'tripline.audit.action'],
  ...[
    'tripline.control.action',
    'tripline.grant.permission',
    'tripline.grant.permission_before',
    'tripline.fact.teller',
  ],
  ...['tripline.grant.permissions', 'tripline.review.author_type', 'tripline.merge_group.reason', 'tripline.worker.os'],
  ...['tripline.feed.name', 'tripline.response.action', 'tripline.response.verdict'],
  ...[
    'association',
    'authorType',
    'permission',
    'permissions',
    'state',
    'role',
    'action',
    'outcome',
    'reason',
    'event',
    'kind',
  ],
] satisfies (AttributeName | string)[]);

/** Attributes whose ids are numbers that people write in texts, as `#7`. */
const numbersInTexts: ReadonlySet<string> = new Set([
  'vcs.change.id',
  'tripline.change.ids',
  'tripline.ticket.id',
  'changes.id',
]);

/** Fields of records and controls, by their last part, whose values are the provider's words. */
const wordFields =
  /(?:^|_)(?:action|type|event|events|state|status|conclusion|operation|permission|permissions|visibility|role|level|enforcement|target|mode|method|validity|code|codes|operator|scopes|trigger|ecosystem|threshold|protocol|target)$|^(?:programmatic_access_type|operation_type|transport_protocol_name|content_type|source_type)$/;
const idFields = /(?:^|_)(?:ids?|sha|token|fingerprint|guid)$/;
const timeFields = /(?:^|_|@)(?:at|timestamp|time)$/;

/** All that an event says, with every name, number, hash and text replaced but for the provider's words and times. */
export function replacedEvent(event: TriplineEvent, names: Pseudonyms): TriplineEvent {
  const { id, source, type, time, workspace, trust, bodySha256, data } = event;
  const isOwnNaming = data['tripline.control.kind'] === 'custom-property';
  const told = Object.entries(data).flatMap(([name, value]): [string, unknown][] => {
    const schema = attributes[name as AttributeName];
    if (schema === undefined) return [];
    if (name === 'tripline.audit.record') return [[name, replacedRecord(value as Json, names)]];
    if (name === 'tripline.control.settings' || name === 'tripline.control.changes')
      return [[name, replacedFields(value as Json, names, isOwnNaming)]];
    if (name === 'tripline.inventory.settings')
      return [[name, replacedSettingsOfRules(value as Record<string, Json>, names)]];
    return [[name, replacedBy(schema, value, name, names)]];
  });
  return {
    ...{ id: names.id(id), source: names.text(source), type, time, workspace: names.text(workspace), trust },
    ...(bodySha256 === undefined ? {} : { bodySha256: names.id(bodySha256) }),
    data: Object.fromEntries(told),
  } as TriplineEvent;
}

/** What a user set of a rule: by its own schema, and by the same words as events. */
export const replacedSettings = (schema: unknown, written: Json, names: Pseudonyms): Json =>
  replacedBy(schema, written, '', names) as Json;

/** A drill's own settings, of rules that are there. */
const replacedSettingsOfRules = (settings: Readonly<Record<string, Json>>, names: Pseudonyms): Json =>
  Object.fromEntries(
    rules.flatMap(({ id, settings: schema }) =>
      Object.hasOwn(settings, id) ? [[id, replacedSettings(schema, settings[id]!, names)]] : [],
    ),
  );

type Json = Record<string, unknown>;

/** A value by its schema: enumerations, switches, counts and times stay. */
function replacedBy(schema: unknown, value: unknown, name: string, names: Pseudonyms): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable)
    return replacedBy(schema.unwrap(), value, name, names);
  if (schema instanceof z.ZodPipe) return replacedBy(schema.in, value, name, names);
  if (schema instanceof z.ZodArray && Array.isArray(value))
    return value.map((one) => replacedBy(schema.element, one, name, names));
  if (schema instanceof z.ZodObject && isObject(value)) {
    const shape = schema.shape as Record<string, unknown>;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) =>
        Object.hasOwn(shape, key)
          ? [key, replacedBy(shape[key], inner, key === 'id' ? `${lastOf(name)}.id` : key, names)]
          : [names.text(key), replacedBy(undefined, inner, key, names)],
      ),
    );
  }
  if (schema instanceof z.ZodEnum || schema instanceof z.ZodLiteral || schema instanceof z.ZodISODateTime) return value;
  if (typeof value === 'boolean' || value === null) return value;
  // A count or a length of time, as schemas have no others.
  if (typeof value === 'number') return value;
  if (typeof value === 'string') {
    if (saysWords.has(name)) return inProvidersWords(value, names);
    const isId = schema === idSchema && !numbersInTexts.has(name);
    // An account by its number, as settings name it.
    return isId || (/^\d+$|:\d+$/.test(value) && schema !== idSchema) ? names.id(value) : names.text(value);
  }
  if (Array.isArray(value)) return value.map((one) => replacedBy(undefined, one, name, names));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      saysWords.has(name) ? inProvidersWords(key, names) : names.text(key),
      replacedBy(undefined, inner, name, names),
    ]),
  );
}
const lastOf = (name: string) => name.slice(name.lastIndexOf('.') + 1);
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What rows of tables name, some of which the provider does not document, and what Tripline calls its responses. */
const wordsOfRules: ReadonlySet<string> = new Set([
  ...intentNames.flatMap((name) => name.split('-')),
  ...guardVerdicts.flatMap((name) => name.split('-')),
  ...rules.flatMap(({ where }) =>
    (where?.oneOf ?? []).flatMap((value) =>
      String(value)
        .toLowerCase()
        .split(/[^a-z0-9]+/),
    ),
  ),
]);

/** As it stands where the provider's words make it up, else replaced. */
function inProvidersWords(text: string, names: Pseudonyms): string {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.every((word) => providerWords.has(word) || wordsOfRules.has(word) || /^\d{1,4}$/.test(word))
    ? text
    : names.text(text);
}

/** The provider's record, field by field: names of fields stay that consist of its words. */
function replacedRecord(record: Json, names: Pseudonyms): Json {
  return Object.fromEntries(
    Object.entries(record).map(([field, value]) => [
      inProvidersWords(field, names),
      replacedField(field, value, names),
    ]),
  );
}

/** Of a control: what is not text is JSON. `isOwnNaming`: the fields are what an organisation called them. */
function replacedFields(fields: Json, names: Pseudonyms, isOwnNaming: boolean): Json {
  return Object.fromEntries(
    Object.entries(fields).map(([field, value]) => [
      isOwnNaming ? names.text(field) : inProvidersWords(field, names),
      replacedField(field, value, names),
    ]),
  );
}

function replacedField(path: string, value: unknown, names: Pseudonyms): unknown {
  const field = path.slice(path.lastIndexOf('.') + 1);
  if (Array.isArray(value)) return value.map((one) => replacedField(path, one, names));
  if (isObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        inProvidersWords(key, names),
        replacedField(key === 'from' ? path : key, inner, names),
      ]),
    );
  }
  if (typeof value === 'number') return timeFields.test(field) ? value : numberOf(field, value, names);
  if (typeof value !== 'string') return value;
  if (/^\s*[[{"]/.test(value)) {
    const parsed = parsedJson(value);
    if (parsed !== undefined) return JSON.stringify(replacedField(path, parsed, names));
  }
  if (wordFields.test(field)) return inProvidersWords(value, names);
  return idFields.test(field) ? names.id(value) : names.text(value);
}

function numberOf(field: string, value: number, names: Pseudonyms): number {
  const text = String(value);
  return Number(idFields.test(field) ? names.id(text) : names.text(text));
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
