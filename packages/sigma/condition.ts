import { every, type Matcher, not, some } from './matcher.ts';
import { parsePattern, patternTest } from './pattern.ts';
import { Refused } from './refused.ts';

type Token = { text: string; at: number };
const reserved = new Set(['and', 'or', 'not', 'of']);
/** Parentheses and `not` within each other: a person writes three at most, and the stack is bounded. */
const maxDepth = 50;

/**
 * What a condition stands for, over the selections that it may name: `and`, `or`, `not`, parentheses, and
 * `1 of` or `all of` with a name, a name with `*`, or `them`. What begins with `_` is in neither of the last two.
 *
 * @throws {Refused} for anything else, and for a name that no selection has.
 */
export function conditionMatcher(condition: string, selections: ReadonlyMap<string, Matcher>): Matcher {
  const tokens = tokensOf(condition);
  let next = 0;
  const peek = () => tokens[next]?.text.toLowerCase();
  const unexpected = () =>
    new Refused(
      tokens[next] === undefined
        ? `the condition \`${condition}\` ends too early`
        : `the condition \`${condition}\` has \`${tokens[next]!.text}\` where none can be, at character ${tokens[next]!.at + 1}`,
    );

  const anyOf = (depth: number): Matcher => {
    const parts = [allOf(depth)];
    while (peek() === 'or') {
      next += 1;
      parts.push(allOf(depth));
    }
    return some(parts);
  };
  const allOf = (depth: number): Matcher => {
    const parts = [primary(depth)];
    while (peek() === 'and') {
      next += 1;
      parts.push(primary(depth));
    }
    return every(parts);
  };
  const primary = (depth: number): Matcher => {
    if (depth > maxDepth) throw new Refused(`the condition \`${condition}\` is nested deeper than ${maxDepth}`);
    const token = tokens[next];
    const word = peek();
    if (token === undefined || word === undefined) throw unexpected();
    if (word === 'not') {
      next += 1;
      return not(primary(depth + 1));
    }
    if (word === '(') {
      next += 1;
      const inner = anyOf(depth + 1);
      if (peek() !== ')') throw unexpected();
      next += 1;
      return inner;
    }
    if (tokens[next + 1]?.text.toLowerCase() === 'of') return quantified(token);
    if (!/^[\w-]+$/.test(word) || reserved.has(word)) throw unexpected();
    next += 1;
    const selected = selections.get(token.text);
    if (selected === undefined)
      throw new Refused(`the condition \`${condition}\` names \`${token.text}\`, which is no selection`);
    return selected;
  };
  const quantified = (quantifier: Token): Matcher => {
    const count = quantifier.text.toLowerCase();
    const of = tokens[next + 2];
    if (of === undefined || !/^[\w*-]+$/.test(of.text)) {
      next += 2;
      throw unexpected();
    }
    next += 3;
    if (count !== '1' && count !== 'any' && count !== 'all')
      throw new Refused(
        `the condition \`${condition}\` asks for \`${count} of\`, and only \`1 of\` and \`all of\` are supported`,
      );
    const those = [...selections].filter(([name]) => isOf(name, of.text)).map(([, selected]) => selected);
    if (those.length === 0)
      throw new Refused(`no selection is \`${of.text}\`, which the condition \`${condition}\` asks for`);
    return count === 'all' ? every(those) : some(those);
  };

  const whole = anyOf(0);
  if (next < tokens.length) throw unexpected();
  return whole;
}

function tokensOf(condition: string): Token[] {
  if (condition.includes('|'))
    throw new Refused(`the condition \`${condition}\` counts events (\`|\`), which a rule of single records cannot`);
  return [...condition.matchAll(/[()]|[^\s()]+/g)].map((match) => ({ text: match[0], at: match.index }));
}

function isOf(name: string, wanted: string): boolean {
  if (wanted === name) return true;
  if (name.startsWith('_')) return false;
  if (wanted.toLowerCase() === 'them') return true;
  return wanted.includes('*') && patternTest(parsePattern(wanted))(name);
}
