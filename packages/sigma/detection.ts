import { z } from 'zod';
import { conditionMatcher } from './condition.ts';
import { fieldTest, keywordTest, type Value } from './field-test.ts';
import { every, type Matcher, some, type Test } from './matcher.ts';
import { parsePattern } from './pattern.ts';
import { someText } from './record.ts';
import { Refused } from './refused.ts';

const value = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const fields = z.record(z.string(), z.union([value, z.array(value)]));
/** A map of fields, a list of such maps or of keywords, or one keyword. */
const selection = z.union([fields, z.array(z.union([fields, z.string(), z.number()])).min(1), z.string()]);

/** `detection` of a rule: its selections by name, and the condition over them. Times and counts are told by name below. */
export const detectionSchema = z
  .looseObject({ condition: z.union([z.string(), z.array(z.string()).min(1)]), timeframe: z.unknown().optional() })
  .transform(({ condition, timeframe, ...selections }) => ({ condition, timeframe, selections }));

/**
 * What a rule's detection stands for. A list of conditions holds where one of them does.
 *
 * @throws {Refused} for what is outside of the subset; the message names it.
 */
export function detectionMatcher({ condition, timeframe, selections }: z.infer<typeof detectionSchema>): Matcher {
  if (timeframe !== undefined)
    throw new Refused('`detection.timeframe` counts events over a time, which a rule of single records cannot');
  const named = new Map(Object.entries(selections).map(([name, content]) => [name, selectionMatcher(name, content)]));
  return some((Array.isArray(condition) ? condition : [condition]).map((text) => conditionMatcher(text, named)));
}

function selectionMatcher(name: string, content: unknown): Matcher {
  const parsed = selection.safeParse(content);
  if (!parsed.success)
    throw new Refused(`the selection \`${name}\` has to be a map of fields, or a list of maps or of keywords`);
  const parts = Array.isArray(parsed.data) ? parsed.data : [parsed.data];
  const matchers = parts.map((part): Matcher => {
    if (typeof part !== 'object') return { test: keywords([part], false) };
    const entries = Object.entries(part);
    if (entries.length === 0)
      throw new Refused(`the selection \`${name}\` has an empty map, which any record would match`);
    return every(entries.map(([key, values]) => fieldMatcher(key, Array.isArray(values) ? values : [values])));
  });
  return some(matchers);
}

/** The field by whose values rules are found. */
const found = 'action';
function fieldMatcher(key: string, values: readonly Value[]): Matcher {
  const test = fieldsTest(key, values);
  const actions = values.map(actionOf);
  const isEquality = (key === found || key === `${found}|cased`) && actions.every((action) => action !== undefined);
  return isEquality ? { test, actions: new Set(actions as string[]) } : { test };
}

/** The one text that a value stands for, in lower case: none where it is a pattern or no text. */
function actionOf(value: Value): string | undefined {
  if (typeof value !== 'string') return undefined;
  const pattern = parsePattern(value);
  return pattern.length === 1 && typeof pattern[0] === 'string' ? pattern[0].toLowerCase() : undefined;
}

/** `|all` and `|contains|all` name no field: the values behind them are keywords. */
function fieldsTest(key: string, values: readonly Value[]): Test {
  if (!key.startsWith('|')) return fieldTest(key, values);
  const modifiers = key.slice(1).split('|');
  const other = modifiers.find((modifier) => modifier !== 'all' && modifier !== 'contains');
  if (other !== undefined)
    throw new Refused(`the modifier \`${other}\` of \`${key}\`, which names no field, is not supported`);
  return keywords(values, modifiers.includes('all'));
}

function keywords(values: readonly Value[], together: boolean): Test {
  const tests = values.map(keywordTest);
  return together
    ? (record) => tests.every((test) => someText(record, test))
    : (record) => someText(record, (text) => tests.some((test) => test(text)));
}
