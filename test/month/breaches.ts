import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType } from '@tripline/contracts/event';
import { brokerEventTypes } from '@tripline/contracts/internal';
import { deliveriesOf, eventId } from '@tripline/scenarios/deliveries';
import { ownEvent } from '@tripline/scenarios/events';
import { createStage } from '@tripline/scenarios/github-bodies';
import type { Cast, Scenario, ScenarioStep } from '@tripline/scenarios/scenario';
import type { Chance } from './chance.ts';
import type { Found } from './judge.ts';
import type { Organisation } from './organisation.ts';
import { dayMs, type World } from './world.ts';

/** A breach that is hidden in the month: when its first step is sent, and by how much longer it takes than when it is played alone. */
export type Hidden = { scenario: Scenario; cast: Cast; stretch: number; steps: readonly ScenarioStep[] };

/** Steps of a playing are sent within so long of its start. */
const playingMs = 60_000;
/** How long a delivery is on its way, ms. */
const lagMs = 400;

type SettingsOf = (rule: string) => Record<string, unknown> | undefined;

/**
 * When each breach begins: at any hour of any day of the month's second half, so that what is learned is learned, with room for its
 * end. A playing shortens what rules wait for; here they wait as they do by default, so its steps lie as much further apart.
 */
export function planBreaches(
  scenarios: readonly Scenario[],
  chance: Chance,
  of: { organisation: Organisation; startMs: number; days: number; defaultsOf: SettingsOf },
): Hidden[] {
  return scenarios.map((scenario, nth) => {
    const startMs = Math.round(of.startMs + chance.between(of.days / 2, of.days - 1.5) * dayMs);
    const cast = { organization: of.organisation.login, startMs, seed: 7_000_000 + nth };
    const settings = scenario.baseline(cast)['tripline.inventory.settings'] ?? {};
    const steps = [...scenario.attack(cast)].sort((a, b) => a.atMs - b.atMs);
    return { scenario, cast, steps, stretch: stretchOf(settings, of.defaultsOf) };
  });
}

function stretchOf(settings: Record<string, Record<string, unknown>>, defaultsOf: SettingsOf): number {
  const ratios = Object.entries(settings).flatMap(([rule, own]) =>
    Object.entries(own).map(([name, value]) => {
      const usual = defaultsOf(rule)?.[name];
      // What learns has learned by then.
      return /^(?!learn).*Ms$/.test(name) && typeof value === 'number' && typeof usual === 'number' && value > 0
        ? usual / value
        : 1;
    }),
  );
  return Math.max(1, ...ratios);
}

/** What the inventory of the first day tells of the people, repositories and machines that breaches are of. */
export function inventoryWith(
  inventory: Attributes,
  hidden: readonly Hidden[],
  organisation: Organisation,
): Attributes {
  const whole: Record<string, unknown> = { ...inventory };
  for (const one of hidden) {
    const { 'tripline.inventory.settings': _, ...told } = one.scenario.baseline(one.cast);
    for (const [name, list] of Object.entries(transplant(one, organisation)(told) as Record<string, unknown>))
      if (Array.isArray(list)) whole[name] = [...((whole[name] as unknown[] | undefined) ?? []), ...list];
  }
  return whole as Attributes;
}

/** What breaches need configured, by rule: names and lists; what they shorten is left at its default. */
export function settingsWith(
  hidden: readonly Hidden[],
  organisation: Organisation,
): Map<string, Record<string, unknown[]>> {
  const byRule = new Map<string, Record<string, unknown[]>>();
  for (const one of hidden) {
    const settings = one.scenario.baseline(one.cast)['tripline.inventory.settings'] ?? {};
    for (const [rule, own] of Object.entries(transplant(one, organisation)(settings) as typeof settings)) {
      const known = byRule.get(rule) ?? {};
      for (const [name, value] of Object.entries(own))
        if (Array.isArray(value)) known[name] = [...new Set([...(known[name] ?? []), ...value])];
      byRule.set(rule, known);
    }
  }
  return byRule;
}

/** Has the deliveries of each breach come among those of the month. */
export function hideBreaches(world: World, hidden: readonly Hidden[]): void {
  for (const one of hidden) {
    const { scenario, cast, stretch } = one;
    const move = transplant(one, world.organisation);
    for (const { step, atMs, source, headers, body } of deliveriesOf(scenario, 'attack', cast)) {
      // The baseline is part of the inventory of the first day.
      if (step === null) continue;
      if (source === 'tripline' && !brokerEventTypes.has(step.event as EventType))
        throw new Error(`${scenario.id}: the month has nobody who sends ${step.event}`);
      if (source === 'person' || source === 'tripline') {
        const said = source === 'person' ? step.body : (move(step.body) as typeof step.body);
        const sent = { ...step, body: said, atMs: atMs * stretch };
        const event = ownEvent({ ...cast, organization: world.organisation.login }, sent);
        world.at(cast.startMs + sent.atMs, () => world.deliver({ feed: 'own', event, isHidden: true }, lagMs));
        continue;
      }
      const moved = Buffer.from(JSON.stringify(move(JSON.parse(body.toString()))));
      world.at(cast.startMs + atMs * stretch, () =>
        world.deliver(
          source === 'github'
            ? {
                ...{ feed: source, body: moved, isHidden: true },
                ...{ event: headers['x-github-event']!, id: headers['x-github-delivery']! },
              }
            : { feed: source, body: moved, isHidden: true },
          lagMs,
        ),
      );
    }
  }
}

/** Accounts that are the provider's own and are called the same everywhere. */
const everywhere = new Set(['web-flow', 'github-actions[bot]', 'dependabot[bot]', 'renovate[bot]', 'ghost']);
const loginKeys = new Set(['login', 'username', 'actor', 'user', 'pusher']);

/**
 * A playing's bodies are of an organisation of their own: here the organisation is the month's, by name and id; people and repositories
 * have names that no other breach's have; and times lie as far apart as its steps.
 */
function transplant(
  { scenario, cast, stretch, steps }: Hidden,
  organisation: Organisation,
): (value: unknown) => unknown {
  const stage = createStage(cast);
  const own = cast.organization;
  const prefix = `${scenario.id}-`;
  const logins = loginsIn([scenario.baseline(cast), ...steps.map(({ body }) => body)]);
  const toMs = cast.startMs + playingMs;
  const later = (ms: number) => Math.round(cast.startMs + (ms - cast.startMs) * stretch);
  const isWithin = (ms: number) => ms > cast.startMs && ms <= toMs;
  const ids = new Map<number, number>([
    [stage.organization.id, organisation.id],
    [stage.user('dependabot[bot]').id, organisation.bots.dependabot.id],
  ]);

  function text(value: string): string {
    if (logins.has(value)) return prefix + value;
    if (/^\d{4}-\d\d-\d\dT\d\d:/.test(value)) {
      const ms = Date.parse(value);
      return isWithin(ms) ? new Date(later(ms)).toISOString() : value;
    }
    if (/^\d+$/.test(value)) return String(ids.get(Number(value)) ?? value);
    const owner = value.slice(0, Math.max(0, value.indexOf('/')));
    const renamed = logins.has(owner) ? prefix + value : value;
    return renamed
      .replaceAll(/\+([^+@]+)@users\.noreply\./g, (whole, login: string) =>
        logins.has(login) ? `+${prefix}${login}@users.noreply.` : whole,
      )
      .replaceAll(`${own}/`, `${own}/${prefix}`);
  }
  function move(value: unknown): unknown {
    if (typeof value === 'string') return text(value);
    if (typeof value === 'number') return isWithin(value) ? later(value) : (ids.get(value) ?? value);
    if (Array.isArray(value)) return value.map(move);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, move(inner)]));
  }
  return move;

  function loginsIn(values: readonly unknown[]): Set<string> {
    const found = new Set<string>();
    const look = (value: unknown, key: string): void => {
      if (typeof value === 'string') {
        if (loginKeys.has(key) && value !== own && !everywhere.has(value)) found.add(value);
      } else if (Array.isArray(value)) for (const inner of value) look(inner, key);
      else if (typeof value === 'object' && value !== null)
        for (const [name, inner] of Object.entries(value)) look(inner, name);
    };
    for (const value of values) look(value, '');
    return found;
  }
}

/** What became of a hidden breach: by which rules it was found, each at the earliest step, and what it was to be found by and was not. */
export type Outcome = {
  hidden: Hidden;
  /** `isExpected`: a rule that was to find it, at the step by which it was to, or at one before. */
  found: { rule: string; step: ScenarioStep; isExpected: boolean }[];
  missed: Scenario['expects'][number][];
};

export function outcomesOf(hidden: readonly Hidden[], findings: readonly Found[]): Outcome[] {
  return hidden.map((one) => {
    const { scenario, cast, steps } = one;
    const nthOf = new Map(steps.map((step, nth) => [eventId(cast, step), nth]));
    const own = findings.flatMap(({ finding, became }) => {
      const nth = nthOf.get(finding.decidingEvent);
      return nth === undefined || became === 'retracted' ? [] : [{ rule: finding.rule, nth }];
    });
    const missed = scenario.expects.filter(
      ({ rule, decidingStep }) =>
        !own.some((found) => found.rule === rule && found.nth <= steps.findIndex(({ name }) => name === decidingStep)),
    );
    const expected = new Set(scenario.expects.map(({ rule }) => rule));
    const first = new Map<string, number>();
    for (const { rule, nth } of own) first.set(rule, Math.min(nth, first.get(rule) ?? nth));
    return {
      ...{ hidden: one, missed },
      found: [...first].map(([rule, nth]) => ({ rule, step: steps[nth]!, isExpected: expected.has(rule) })),
    };
  });
}

/** Whether something was found of a breach, and is no fault of the month's: by an event of it, or of a repository of it. */
export function isOfBreach({ finding }: Found, hidden: readonly Hidden[]): boolean {
  const told = new Set([finding.decidingEvent, ...finding.evidence.map(({ eventId: id }) => id)]);
  return hidden.some(
    ({ scenario, cast, steps }) =>
      steps.some((step) => told.has(eventId(cast, step))) ||
      finding.entities.some(({ id }) => id.startsWith(`${cast.organization}/${scenario.id}-`)),
  );
}
