import { type Document, isScalar, parseAllDocuments, visit } from 'yaml';
import { z } from 'zod';
import { detectionMatcher, detectionSchema } from './detection.ts';
import type { Test } from './matcher.ts';
import { Refused } from './refused.ts';

/** A Sigma rule over single records, as its file says it. */
export type SigmaRule = {
  /** The file's own UUID. */
  id?: string | undefined;
  title: string;
  /** Relative to the folder of rules. */
  file: string;
  description?: string | undefined;
  level: Level;
  status?: string | undefined;
  /** As written: `attack.t1098.001`, `attack.persistence`. */
  tags: readonly string[];
  falsePositives: readonly string[];
  logsource: LogSource;
  /** Whether a record of its log source matches. Pure, and bounded in time by the size of record and rule. */
  matches: Test;
  /** The only actions of records that it can match, in lower case; absent where it may match any. */
  actions?: readonly string[] | undefined;
};
export type Level = 'informational' | 'low' | 'medium' | 'high' | 'critical';
export type LogSource = Record<'product' | 'service' | 'category', string | undefined>;
/** A rule that is not run: `title` where its file tells one, and why, for whoever wrote it. */
export type RefusedRule = { file: string; title?: string | undefined; reason: string };

/** A rule of a person's is a page long; what is longer was not written to be read. */
const maxFileCharacters = 262_144;
const maxRulesPerFile = 500;
const maxAliases = 20;

const texts = z.preprocess((value) => (value === null ? undefined : value), z.array(z.string()).optional());
const ruleSchema = z.looseObject({
  title: z.string().min(1).max(512),
  id: z.string().optional(),
  description: z.string().optional(),
  level: z.enum(['informational', 'low', 'medium', 'high', 'critical']).default('medium'),
  status: z.string().optional(),
  tags: texts,
  falsepositives: texts,
  logsource: z.looseObject({
    product: z.string().optional(),
    service: z.string().optional(),
    category: z.string().optional(),
  }),
  detection: detectionSchema,
});

/**
 * The rules of one file, which may hold several documents. What is outside of the subset of Sigma that is supported is
 * refused by name; the others of the file are read all the same.
 */
export function readRules(text: string, file: string): { rules: SigmaRule[]; refused: RefusedRule[] } {
  if (text.length > maxFileCharacters)
    return { rules: [], refused: [{ file, reason: `the file is longer than ${maxFileCharacters} characters` }] };
  const rules: SigmaRule[] = [];
  const refused: RefusedRule[] = [];
  const documents = parseAllDocuments(text, { uniqueKeys: true });
  for (const document of Array.isArray(documents) ? documents.slice(0, maxRulesPerFile) : []) {
    let title: string | undefined;
    try {
      const [fault] = document.errors;
      if (fault !== undefined) throw new Refused(`no YAML: ${fault.message}`);
      refuseProto(document);
      const content: unknown = aliasFree(() => document.toJS({ maxAliasCount: maxAliases }));
      if (content === null) continue;
      title = titleOf(content);
      rules.push(readRule(content, file));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      refused.push({ file, title, reason: error.message });
    }
  }
  if (Array.isArray(documents) && documents.length > maxRulesPerFile)
    refused.push({ file, reason: `the file holds more than ${maxRulesPerFile} rules; those behind them are not read` });
  return { rules, refused };
}

/** JavaScript’s objects take this name for something else, and a field that is lost makes a rule match more. */
function refuseProto(document: Document): void {
  visit(document, {
    Pair: (_, { key }) => {
      if (isScalar(key) && key.value === '__proto__') throw new Refused('the name `__proto__` is not supported');
    },
  });
}

/** What refers to itself over and over is refused by the parser before it takes the memory. */
function aliasFree<Content>(read: () => Content): Content {
  try {
    return read();
  } catch (error) {
    if (error instanceof ReferenceError) throw new Refused(`no YAML that can be read: ${error.message}`);
    throw error;
  }
}

function titleOf(content: unknown): string | undefined {
  const title = typeof content === 'object' && content !== null && 'title' in content ? content.title : undefined;
  return typeof title === 'string' ? title : undefined;
}

function readRule(content: unknown, file: string): SigmaRule {
  for (const key of ['correlation', 'filter', 'action'])
    if (typeof content === 'object' && content !== null && Object.hasOwn(content, key))
      throw new Refused(`a document with \`${key}\` is not supported: rules of single records alone are`);
  const parsed = ruleSchema.safeParse(content);
  if (!parsed.success) throw new Refused(z.prettifyError(parsed.error).replaceAll('\n', ' '));
  const { title, id, description, level, status, tags = [], falsepositives: falsePositives = [] } = parsed.data;
  const { product, service, category } = parsed.data.logsource;
  const logsource = { product, service, category };
  const { test, actions } = detectionMatcher(parsed.data.detection);
  return {
    ...{ id, title, file, description, level, status, tags, falsePositives, logsource, matches: test },
    actions: actions && [...actions].sort(),
  };
}
