import type { Line } from './lines.ts';
import type { Stage } from './stage.ts';

/**
 * What a line can say. `says` is its form: words that stand there, and `{names}` for what differs, such as
 * `pushes {commits} to {repository} {branch}`. `act` tells it to the stage, as GitHub would (`stage.github`) or as
 * another feed (`stage.feed`); one act may be more than one delivery.
 */
export type Verb = { says: string; act: (said: Said, stage: Stage) => void };

/** One line, as its verb reads it. */
export type Said = {
  who: string;
  /** When it happened, ms since the epoch. */
  atMs: number;
  /** What stands for `{name}`. */
  the: (name: string) => string;
  /** What follows `name` in the options, empty for a mere `name`; undefined without it. */
  option: (name: string) => string | undefined;
  /** Options of the form `<name> <before> → <after>`, which no other call asked for. */
  changes: () => Change[];
};
export type Change = { name: string; before: string; after: string };

/** Gives `says` and `act` their types. */
export function verb(says: string, act: Verb['act']): Verb {
  return { says, act };
}

/**
 * Has the verb whose form the line has tell it to the stage.
 * @throws {Error} naming the forms that begin alike, or the options that the verb does not know.
 */
export function tellLine(line: Line, verbs: readonly Verb[], stage: Stage): void {
  for (const { says, act } of verbs) {
    const found = match(says, line.words);
    if (found === undefined) continue;
    const unread = new Set(line.options);
    act(saidBy(line, found, unread), stage);
    if (unread.size > 0) throw new Error(`\`${says}\` knows no option ${[...unread].join(' and no ')}`);
    return;
  }
  const alike = verbs.filter(({ says }) => says.startsWith(`${line.words[0]} `));
  const forms = (alike.length > 0 ? alike : verbs).map(({ says }) => `    <who>  ${says}`);
  throw new Error(`no verb has this form. There are:\n${forms.sort().join('\n')}`);
}

function match(says: string, words: readonly string[]): Map<string, string> | undefined {
  const form = says.split(' ');
  if (form.length !== words.length) return undefined;
  const found = new Map<string, string>();
  for (const [place, part] of form.entries()) {
    const word = words[place]!;
    if (part.startsWith('{')) found.set(part.slice(1, -1), word.startsWith('"') ? word.slice(1, -1) : word);
    else if (part !== word) return undefined;
  }
  return found;
}

function saidBy(line: Line, found: Map<string, string>, unread: Set<string>): Said {
  return {
    who: line.who,
    atMs: line.atMs,
    the(name) {
      const word = found.get(name);
      if (word === undefined) throw new Error(`the form has no {${name}}`);
      return word;
    },
    option(name) {
      const option = line.options.find((one) => one === name || one.startsWith(`${name} `));
      if (option !== undefined) unread.delete(option);
      return option?.slice(name.length + 1);
    },
    changes() {
      const changes: Change[] = [];
      for (const option of [...unread]) {
        const [left = '', after] = option.split('→');
        const [name = '', ...before] = left.trim().split(/\s+/);
        if (after === undefined) continue;
        unread.delete(option);
        changes.push({ name, before: before.join(' '), after: after.trim() });
      }
      return changes;
    },
  };
}
