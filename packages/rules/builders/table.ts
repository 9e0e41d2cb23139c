import { type AttributeName, type Attributes, attributes } from '@tripline/contracts/attributes';
import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import type { Severity } from '@tripline/contracts/finding';
import type { AnyRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { match } from './match.ts';
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

export type RowMore = Partial<Pick<Table, 'attack' | 'owasp' | 'falseAlarms' | 'why' | 'remedy' | 'confidence'>> & {
  /** Only where these attributes have one of the values too: one that is absent has none. */
  when?: Readonly<Partial<Record<AttributeName, readonly (string | number | boolean)[]>>>;
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

function ruleOf(table: Table, [value, title, severity, more = {}]: Row): AnyRule {
  if (!/^[\w.-]+$/.test(value)) throw new Error(`“${value}” is no value that a row can be named after`);
  if (!/^[A-Z].*[^.]$/.test(title)) throw new Error(`the title of ${value} must be a heading, such as “Hook deleted”`);
  const { when = {}, respond, ...own } = more;
  const { id: prefix, attribute, on, why, remedy, ...meta } = { ...table, ...own };
  for (const text of [why, ...remedy]) filled(text, {});
  return match({
    ...{ ...meta, kind: 'row' as const },
    ...{ id: `${prefix}-${value.toLowerCase().replaceAll(/[._]/g, '-')}`, title, severity, on },
    description: `${title}: \`${value}\`. ${why.replaceAll(/\{user\.name\}/g, 'whoever did it').replaceAll(/[{}]/g, '')}`,
    where: { attribute, oneOf: [value] },
    find(event) {
      const data: Attributes = event.data;
      for (const [name, values] of Object.entries(when))
        if (!(values as readonly unknown[]).includes(data[name as AttributeName])) return undefined;
      const place = data['vcs.repository.name'] ?? data['vcs.owner.name'] ?? data['user.name'] ?? event.source;
      const says = `${title}: ${clip(place, 200)}, by ${clip(data['user.name'] ?? 'somebody unnamed', 200)}`;
      return {
        ...{ subject: place, title: says, what: says, summary: `${says}. ${filled(why, data)}` },
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
