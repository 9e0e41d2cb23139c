import { type AttributeName, type Attributes, attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { type AnyRule, defineRule, type Rule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { seenBy } from './seen.ts';
import { type BuiltFinding, common, draftOf, type Meta, type Reading, type SettingsOf, type Shape } from './verdict.ts';

/** What one event comes to: `what` is its line of evidence; the occasion is the event, unless something steadier is named. */
export type Match = Omit<BuiltFinding, 'because'> & { occasion?: string; what: string };

/** One event is enough. */
export function match<S extends Shape>(
  of: Meta & Reading & { settings?: S; find: (event: LoggedEvent, settings: SettingsOf<S>) => Match | undefined },
): Rule<unknown, SettingsOf<S>> {
  return defineRule<unknown, SettingsOf<S>>({
    ...common(of, of.settings ?? ({} as S)),
    judge(event, context) {
      const found = of.find(event, context.settings);
      if (found === undefined) return;
      const occasion = found.occasion ?? event.fact ?? event.id;
      context.find(draftOf({ ...found, occasion, because: [seenBy(event)] }, () => found.what));
    },
  });
}

/**
 * A rule that is nothing but data, for tables of them: whoever does `where` is found. Texts may name attributes of the
 * event, as `{user.name} turned two-factor off for {vcs.owner.name}`.
 */
export type Row = Meta & Required<Reading> & { subject: string; says: string; why: string; remedy: readonly string[] };

/** @throws {Error} when a text names what is no attribute. */
export function matchRow(row: Row): AnyRule {
  for (const text of [row.subject, row.says, row.why, ...row.remedy]) filled(text, {});
  return match({
    ...row,
    find({ data }) {
      const says = filled(row.says, data);
      const remedy = row.remedy.map((text) => filled(text, data));
      return {
        subject: filled(row.subject, data),
        title: says,
        what: says,
        summary: `${says}. ${filled(row.why, data)}`,
        remedy,
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
