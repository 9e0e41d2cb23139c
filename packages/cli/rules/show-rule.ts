import type { Config } from '@tripline/config/config';
import { betterNames, betterWords, type FeedName, feedWords } from '@tripline/contracts/feeds';
import type { AnyRule } from '@tripline/contracts/rule';
import { isOn, type RuleSet } from '@tripline/detector/load-rules';
import { defaultOf } from '@tripline/rules/defaults';
import { rules as ownRules } from '@tripline/rules/registry';
import { noRule } from '@tripline/rules/retired';
import { plain } from '@tripline/runtime/plain';
import { type Io, UsageError, UserError } from '../command.ts';
import { sentenceFor } from '../errors.ts';
import { moment, wrapped } from '../show.ts';
import { withStore } from '../store.ts';
import { describe, facts, originsOf } from './facts.ts';
import { type RuleState, readRuleState } from './rule-state.ts';

/**
 * `tripline rules show <id>`: what the rule is, what settings say of it, which feeds it has and lacks, until when it learns, and
 * what became of its findings. Without Postgres all but the last three.
 */
export async function showRule(
  set: RuleSet,
  config: Config,
  io: Io,
  of: { id: string; json: boolean },
): Promise<number> {
  const configured = set.rules.find(({ rule }) => rule.id === of.id);
  const rule = configured?.rule ?? ownRules.find(({ id }) => id === of.id);
  if (rule === undefined) throw new UsageError(notThere(set, of.id));
  let state: RuleState | null = null;
  let without = '';
  try {
    state = await withStore(config, (db) => readRuleState(db, config, rule));
  } catch (error) {
    const sentence = error instanceof UserError ? error.message : sentenceFor(error);
    if (sentence == null) throw error;
    without = sentence;
  }
  const said = policiesOn(rule, config);
  if (of.json) {
    const settings = configured?.settings ?? null;
    io.out(
      `${JSON.stringify({ ...facts(rule, originsOf(set)), runs: isOn(rule, config), settings, ...said, state })}\n`,
    );
    return 0;
  }
  io.out(describe(rule, io).trimEnd());
  io.out('\n');
  const say = (text: string) => io.out(`  ${wrapped(io, plain(text), 2)}\n`);
  const { does, why } = defaultOf(rule);
  say(`By default it ${does === 'nothing' ? 'finds nothing' : does}. ${why}`);
  if (configured === undefined) say('Off here: it does not run.');
  const from = originsOf(set).get(rule.id);
  if (from !== undefined) say(`From ${from.file}.`);
  for (const [name, value] of Object.entries((configured?.settings ?? {}) as object))
    say(`Setting ${name}: ${JSON.stringify(value)}${name in (configured?.written ?? {}) ? '' : ' (default)'}`);
  for (const [what, count] of Object.entries(said)) if (count > 0) say(`Named by ${what}: ${count}`);
  if (state === null) say(`Feeds, learning and findings are not known: ${without}`);
  else for (const line of stateInWords(rule, state)) say(line);
  return 0;
}

function notThere({ sigma }: RuleSet, id: string): string {
  const refused = sigma.refused.find(({ rule }) => rule === id);
  return refused === undefined ? noRule(id) : `${id} of ${refused.file} is refused: ${refused.reason}`;
}

/** How many of each say something of the rule. */
function policiesOn({ id }: AnyRule, { silences, exceptions, overrides, remediation }: Config) {
  return {
    silences: silences.filter(({ rule }) => rule === id).length,
    exceptions: exceptions.filter(({ rules }) => rules.includes(id)).length,
    overrides: overrides.filter(({ rule }) => rule === id).length,
    'remediation.policy': remediation.policy.filter(({ rule }) => rule === id).length,
  };
}

function stateInWords(
  { feeds: { needs, better = {} } }: AnyRule,
  { received, learning, findings }: RuleState,
): string[] {
  const when = (name: FeedName) =>
    received[name] === null ? 'nothing received' : `last received at ${moment(received[name])} UTC`;
  const isReceived = needs.some((name) => received[name] !== null);
  const { recorded, ...became } = findings;
  const parts = Object.entries(became).filter(([, count]) => count > 0);
  return [
    ...needs.map((name) => `Feed ${name} (${feedWords[name]}): ${when(name)}`),
    ...(isReceived ? [] : ['It finds nothing: nothing was received of a feed that it needs.']),
    ...betterNames.flatMap((name) => {
      if (better[name] === undefined) return [];
      const state = name === 'github-api' ? '' : `, ${when(name)}`;
      return [`Better with ${name} (${betterWords[name]})${state}: ${better[name]}`];
    }),
    ...learning.map(({ workspace, until }) =>
      until === null
        ? `In ${workspace} it has learned.`
        : `In ${workspace} it learns until ${moment(until)} UTC: no findings before.`,
    ),
    `Findings of the last 30 days: ${recorded}${parts.length === 0 ? '' : ` (${parts.map(([what, count]) => `${count} ${what}`).join(', ')})`}`,
  ];
}
