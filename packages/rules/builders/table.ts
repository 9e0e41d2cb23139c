import { type AttributeName, type Attributes, attributes } from '@tripline/contracts/attributes';
import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import type { Severity } from '@tripline/contracts/finding';
import type { AnyRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { match } from './match.ts';
import { enterpriseOf, inWords, recordSays, whatItSays } from './record.ts';
import type { BuiltFinding, Meta } from './verdict.ts';

/**
 * What the rows of one table have in common: what such an act means, whatever it is called. Texts may name attributes of the
 * event, as `{user.name}`.
 */
export type Table = Pick<Meta, 'principles' | 'attack' | 'owasp' | 'falseAlarms' | 'feeds' | 'confidence'> & {
  /** Begins the ids of its rules. */
  id: string;
  /** The event types that such an act may come as. */
  on: readonly [EventType, ...EventType[]];
  /** The attribute whose value a row names. */
  attribute: AttributeName;
  /** What follows from such an act, in a sentence. */
  why: string;
  remedy: readonly [string, ...string[]];
};

/**
 * One rule in one line: the value, its title (what has happened, as a heading), how grave it is, and what else differs from the
 * table. Id, wording, subject, and what the catalogue asks for follow from the value, the title and the table.
 */
export type Row = readonly [value: string, title: string, severity: Severity, more?: RowMore];

/** Tables, each with its rows. */
export type Tables = readonly (readonly [Table, readonly Row[]])[];

export type RowMore = Partial<Pick<Table, 'attack' | 'owasp' | 'falseAlarms' | 'why' | 'remedy' | 'confidence'>> & {
  /** Ends the id, where several rows of a table name one value. */
  as?: string;
  /** Other values that the same act is reported by. */
  also?: readonly string[];
  /** Of its values those that the provider's documentation does not list, though its feeds or other tools use them. */
  undocumented?: readonly string[];
  /** Only where these attributes have one of the values too: one that is absent has none. */
  when?: Readonly<Partial<Record<AttributeName, readonly (string | number | boolean)[]>>>;
  /** Only where these fields of the record say one of the values, as text in lower case: one that is absent says none. */
  says?: Readonly<Record<string, readonly string[]>>;
  /** Not where one of these fields of the record says one of the values. */
  unless?: Readonly<Record<string, readonly string[]>>;
  /** Rules that find the same act by more than its name: this one only informs, and yields to them. */
  better?: readonly [string, ...string[]];
  /** Rules whose findings may rest on the same act: of the two findings the graver is reported, theirs where they are equal. */
  joins?: readonly [string, ...string[]];
  /** Makes a control stronger: it only informs. */
  tightens?: true;
  /**
   * Honest work of an ordinary team, weekly: so it only informs. Daily, or weekly in an organisation of hundreds: it does not even
   * run until it is asked for.
   */
  ordinary?: 'weekly' | 'daily' | 'at-scale';
  /** What is to be offered or done; nothing unless told: what answers an act is never guessed. */
  respond?: (event: LoggedEvent) => NonNullable<BuiltFinding['response']>;
};

/**
 * The rules of a table.
 * @throws {Error} on a row that cannot be meant: a value twice, a title that is none, a text that names what is no attribute.
 */
export function rulesOf(table: Table, rows: readonly Row[]): AnyRule[] {
  const rules = rows.map((row) => ruleOf(table, row));
  const twice = rules.find(({ id }, nth) => rules.findIndex((other) => other.id === id) !== nth);
  if (twice !== undefined) throw new Error(`two rows make the rule ${twice.id}`);
  return rules;
}

/** The id of a row's rule. */
export const rowId = ({ id }: Pick<Table, 'id'>, [value, , , { as } = {}]: Row): string =>
  [id, value, ...(as === undefined ? [] : [as])].join('-').toLowerCase().replaceAll(/[._]/g, '-');

/** All values of a row. */
export const valuesOf = ([value, , , { also = [], undocumented = [] } = {}]: Row): string[] => [
  ...new Set([value, ...also, ...undocumented]),
];

function ruleOf(table: Table, row: Row): AnyRule {
  const [, title, severity, more = {}] = row;
  const values = valuesOf(row);
  for (const value of values)
    if (!/^[\w.-]+$/.test(value)) throw new Error(`“${value}” is no value that a row can be named after`);
  if (!/^[A-Z].*[^.]$/.test(title))
    throw new Error(`the title of ${values[0]} must be a heading, such as “Hook deleted”`);
  const { when = {}, says = {}, unless = {}, respond, as, also, undocumented = [], ...other } = more;
  const { better, joins, tightens, ordinary, ...own } = other;
  const yieldsTo = [...(better ?? []), ...(joins ?? [])];
  if (severity !== 'low' && (better ?? tightens ?? ordinary) !== undefined)
    throw new Error(`${values[0]} is ordinary, makes things better or is found better: its severity must be low`);
  const { id: prefix, attribute, on, why, remedy, ...meta } = { ...table, ...own };
  for (const text of [why, ...remedy]) filled(text, {});
  const names = values.map((value) => `\`${value}\`${undocumented.includes(value) ? ' (undocumented)' : ''}`);
  return match({
    ...{ ...meta, kind: 'row' as const },
    ...{ id: rowId({ id: prefix }, row), title, severity, on },
    description: [
      `${title}: ${[names.join(' or '), ...inWords(says, unless)].join(', ')}.`,
      why.replaceAll(/\{user\.name\}/g, 'whoever did it').replaceAll(/[{}]/g, ''),
      ...(better === undefined
        ? []
        : [`It only informs: ${better.map((id) => `\`${id}\``).join(', ')} judges such acts.`]),
      ...(tightens ? ['It only informs, since a control becomes stronger by it.'] : []),
      ...(ordinary === 'weekly' ? ['It only informs, since ordinary teams do it weekly.'] : []),
    ].join(' '),
    ...(yieldsTo.length === 0 ? {} : { yieldsTo }),
    ...(ordinary === 'daily' ? { offByDefault: 'Ordinary teams do it daily.' } : {}),
    ...(ordinary === 'at-scale' ? { offByDefault: 'In an organisation of hundreds somebody does it each week.' } : {}),
    where: { attribute, oneOf: values },
    find(event) {
      const data: Attributes = event.data;
      for (const [name, of] of Object.entries(when))
        if (!(of as readonly unknown[]).includes(data[name as AttributeName])) return undefined;
      const record = data['tripline.audit.record'] ?? {};
      if (Object.entries(says).some(([field, of]) => !recordSays(record, field, of))) return undefined;
      if (Object.entries(unless).some(([field, of]) => recordSays(record, field, of))) return undefined;
      const place = data['vcs.repository.name'] ?? data['vcs.owner.name'] ?? enterpriseOf(record) ?? event.source;
      const told = `${title}: ${clip(place, 200)}, by ${clip(data['user.name'] ?? 'somebody unnamed', 200)}`;
      const details = whatItSays(record);
      const found = data['tripline.audit.id'];
      return {
        ...{
          subject: place,
          title: told,
          what: [told, ...(found === undefined ? [] : [`record ${found}`])].join('; '),
        },
        summary: [`${told}.`, filled(why, data), ...(details === '' ? [] : [`The record says: ${details}.`])].join(' '),
        ...{ severity, remedy: remedy.map((text) => filled(text, data)) },
        ...(respond === undefined ? {} : { response: respond(event) }),
      };
    },
  });
}

function filled(text: string, data: Attributes): string {
  return text.replaceAll(/\{([^{}]*)\}/g, (_, name: string) => {
    if (!Object.hasOwn(attributes, name)) throw new Error(`{${name}} is no attribute of events`);
    const value = data[name as AttributeName];
    return value === undefined ? 'something unnamed' : clip(String(value), 200);
  });
}
