import type { AnyRule } from '@tripline/contracts/rule';
import type { FactRow } from './concerns.ts';
import { engineRules } from './context.ts';
import { reasonOf } from './effects.ts';
import { checkName, joinKey, nameOfRule, type StateKey } from './keyed-state/keys.ts';
import { isHeld, type KeyedState, type Slot, type StateRow } from './keyed-state/state.ts';
import { type FactsInUse, factRows } from './learn-facts.ts';
import type { WorkspaceFacts } from './workspace-facts.ts';

/** Facts of a workspace are kept for good, ms. */
const foreverMs = 36_500 * 86_400_000;

/** A workspace while a batch is judged: what its events ask for again and again, looked up once. */
type Scope = {
  facts: Slot;
  /** Why its name is none. */
  fault: string | null;
  rules: Map<string, RuleScope>;
};
type RuleScope = { workspace: string; rule: string; prefix: string; slots: Map<string, Slot> };

const noSlot: Slot = {
  ...{ workspace: '', rule: '', key: '', joined: '' },
  isEngines: true,
  before: undefined,
  next: undefined,
};

export type Scopes = ReturnType<typeof createScopes>;

/** Where the events of one batch find what stands under their keys, and which of those are still to be fetched. */
export function createScopes(parts: {
  state: KeyedState;
  facts: FactsInUse;
  ruleOf: (id: string) => AnyRule | undefined;
  /** What stands under a key where that is in memory; null when nothing does. */
  peek: ((key: StateKey) => StateRow | null | undefined) | undefined;
}) {
  const { state, facts, ruleOf, peek } = parts;
  const scopes = new Map<string, Scope>();
  let missing: Slot[] = [];

  /** The workspace that was asked for last: the next question is mostly about it too. */
  let last: Scope | undefined;
  let lastWorkspace = '';

  function scopeOf(workspace: string): Scope {
    if (last !== undefined && workspace === lastWorkspace) return last;
    let scope = scopes.get(workspace);
    if (scope === undefined) {
      const slot = state.slot(workspace, engineRules.workspace, '');
      scope = { facts: slot, fault: faultOfWorkspace(workspace), rules: new Map() };
      scopes.set(workspace, scope);
    }
    last = scope;
    lastWorkspace = workspace;
    return scope;
  }
  function scopeOfRule(rule: string, workspace: string): RuleScope {
    const { rules } = scopeOf(workspace);
    let scope = rules.get(rule);
    if (scope === undefined) {
      scope = { workspace, rule, prefix: joinKey(workspace, rule, ''), slots: new Map() };
      rules.set(rule, scope);
    }
    return scope;
  }
  function slotIn(scope: RuleScope, key: string, isOwn: boolean): Slot {
    const known = scope.slots.get(key);
    if (known !== undefined) return known;
    const name = nameOfRule('a key', key);
    const slot = isOwn ? noSlot : state.slot(scope.workspace, scope.rule, name, scope.prefix + name);
    scope.slots.set(key, slot);
    if (!isOwn && !isHeld(slot)) missing.push(slot);
    return slot;
  }

  /** A row as far as its rule or fact takes it; none where it does not. */
  function soundOf(row: StateRow): StateRow[] {
    const fact = facts.ofRows(row.rule);
    if (fact === undefined) return (ruleOf(row.rule)?.state?.safeParse(row.value).success ?? true) ? [row] : [];
    const { value, ...rest } = row.value as FactRow;
    return value === undefined || fact.value.safeParse(value).success ? [row] : [{ ...row, value: rest }];
  }

  return {
    /** Why a workspace's name is none; null where it is one. */
    faultOf: (workspace: string): string | null => scopeOf(workspace).fault,
    /** What is known of a workspace; undefined before its first event. */
    knownOf: (workspace: string, nowMs: number): WorkspaceFacts | undefined =>
      state.get(scopeOf(workspace).facts, nowMs) as WorkspaceFacts | undefined,
    know(workspace: string, known: WorkspaceFacts, nowMs: number): void {
      state.set(scopeOf(workspace).facts, known, foreverMs, nowMs);
    },

    /** What stands under a rule's keys, each asked for unless it is held. Those of the engine always are. */
    slotsOf(rule: string, workspace: string, keys: readonly string[]): Slot[] {
      const scope = scopeOfRule(rule, workspace);
      const slots: Slot[] = [];
      // Of runs that a rule may ask about the engine keeps rows of its own.
      for (const key of keys) slots.push(slotIn(scope, key, key.startsWith('@')));
      return slots;
    },
    /** The same of a fact's keys, none of which is the engine's. */
    slotsOfFact(fact: string, workspace: string, keys: readonly string[]): Slot[] {
      const scope = scopeOfRule(factRows(fact), workspace);
      // Nearly always one.
      return keys.length === 1 ? [slotIn(scope, keys[0]!, false)] : keys.map((key) => slotIn(scope, key, false));
    },
    /**
     * The slot of a key that only shows while a batch is judged: given at once where it is in memory, else asked for. One that
     * was asked for before stays so: who was handed it then did without, and must be evaluated again.
     */
    lateSlotOf(rule: string, workspace: string, key: string): Slot {
      const scope = scopeOfRule(rule, workspace);
      const askedBefore = missing.length;
      const slot = slotIn(scope, key, false);
      if (isHeld(slot) || peek === undefined) return slot;
      const row = peek(slot);
      if (row === undefined) return slot;
      missing.length = askedBefore;
      state.give([slot], row === null ? [] : soundOf(row));
      return slot;
    },

    /** Takes in the rows of keys that were asked for. A row that its rule's schema does not take counts as absent. */
    give: (keys: readonly StateKey[], rows: readonly StateRow[]): void => state.give(keys, rows.flatMap(soundOf)),
    isMissing: (): boolean => missing.length > 0,
    takeMissing(): StateKey[] {
      const keys = missing;
      missing = [];
      return keys;
    },
    clear(): void {
      scopes.clear();
      last = undefined;
      missing = [];
    },
  };
}

function faultOfWorkspace(workspace: string): string | null {
  try {
    checkName('header ce_workspace', workspace);
    return workspace === '' ? 'header ce_workspace is missing' : null;
  } catch (error) {
    return reasonOf(error);
  }
}
