import { type Entity, type Finding, severities } from '@tripline/contracts/finding';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { someFinding } from '../../test/faults/recorded-findings.ts';
import { createJoining, type OpenIncident } from './join-incidents.ts';

const hourMs = 3_600_000;
const startMs = Date.parse('2026-05-01T00:00:00Z');
const names = ['ada', 'bob', 'eve', 'renovate[bot]', 'web-flow'];
const isBots = (id: string) => id.endsWith('[bot]') || id === 'web-flow';

/** What the log tells or what a person does, `afterMs` after what came before. */
const steps = fc.array(
  fc.record({
    afterMs: fc.constantFrom(0, hourMs, 20 * hourMs, 30 * hourMs),
    what: fc.constantFrom('found', 'found', 'found', 'acknowledge'),
    severity: fc.constantFrom(...severities),
    entities: fc.array(
      fc.record({
        kind: fc.constantFrom<Entity['kind']>('user', 'repository', 'run', 'environment'),
        id: fc.constantFrom(...names),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  }),
  { maxLength: 40 },
);
type Step = (typeof steps extends fc.Arbitrary<infer T> ? T : never)[number];

function play(told: readonly Step[]) {
  const joining = createJoining([]);
  const of: { incident: OpenIncident; finding: Finding; atMs: number }[] = [];
  let atMs = startMs;
  for (const [nth, { afterMs, what, severity, entities }] of told.entries()) {
    atMs += afterMs;
    if (what === 'found') {
      const finding = {
        ...{ ...someFinding(`s${nth}`, { person: 'nobody' }), severity, entities },
        detectedAt: new Date(atMs).toISOString(),
      };
      of.push({ incident: joining.find(finding), finding, atMs });
    } else {
      // As packages/incidents/incidents.ts does it: whatever stands is acknowledged, with the page that rings.
      for (const incident of joining.incidents) {
        const { pageGeneration: acknowledgedGeneration, severity: acknowledgedSeverity } = incident;
        Object.assign(incident, { state: 'acknowledged', acknowledgedSeverity, acknowledgedGeneration });
      }
    }
  }
  return { joining, of };
}

test('joining ends a week after the opening, and through shared accounts, places and things nothing joins', () => {
  fc.assert(
    fc.property(steps, (told) => {
      const { joining, of } = play(told);
      for (const incident of joining.incidents) {
        const own = of.filter((one) => one.incident === incident);
        expect(own.at(-1)!.atMs - own[0]!.atMs).toBeLessThanOrEqual(7 * 24 * hourMs);
        const joins = ({ kind, id }: Entity) => kind === 'run' || (kind === 'user' && !isBots(id));
        const linked = new Set<string>();
        for (const [nth, { finding }] of own.entries()) {
          const links = finding.entities.filter(joins).map(({ kind, id }) => `${kind} ${id}`);
          if (nth > 0) expect(links.some((link) => linked.has(link))).toBe(true);
          for (const link of links) linked.add(link);
        }
        expect(incident.total).toBe(own.length);
      }
    }),
  );
});

test('whoever shares a person or run with what was told within a day and a week joins it', () => {
  fc.assert(
    fc.property(steps, (told) => {
      const { of } = play(told);
      for (const [nth, { incident, finding, atMs }] of of.entries()) {
        if (of.findIndex((one) => one.incident === incident) !== nth) continue;
        // It opened one: nothing before it could have been joined.
        for (const other of of.slice(0, nth)) {
          const shared = finding.entities.some(
            ({ kind, id }) =>
              (kind === 'run' || (kind === 'user' && !isBots(id))) &&
              other.finding.entities.some((one) => one.kind === kind && one.id === id),
          );
          const opened = of.find((one) => one.incident === other.incident)!;
          const last = of.slice(0, nth).findLast((one) => one.incident === other.incident)!;
          const isOver = atMs - last.atMs > 24 * hourMs || atMs - opened.atMs > 7 * 24 * hourMs;
          expect(shared && !isOver).toBe(false);
        }
      }
    }),
  );
});

test('a page rings anew for each rise, and for what is as grave as what was acknowledged, never for less', () => {
  fc.assert(
    fc.property(steps, (told) => {
      const { joining } = play(told);
      for (const incident of joining.incidents) {
        const pages = joining.history.filter((line) => line.incident === incident && line.kind === 'paged');
        expect(pages.map(({ detail }) => detail['generation'])).toEqual(pages.map((_, place) => place + 1));
        expect(incident.pageGeneration).toBe(pages.length);
        const rises = pages.filter(({ detail }) => detail['former'] !== undefined);
        expect(rises.length).toBeLessThanOrEqual(severities.length - 1);
        // What is acknowledged was never critical without a person having seen it so.
        if (incident.state === 'acknowledged' && incident.severity === 'critical') {
          expect(incident.acknowledgedSeverity).toBe('critical');
        }
      }
    }),
  );
});

test('an incident takes 5,000 findings, of which its history names some, and what comes then opens another', () => {
  const joining = createJoining([]);
  const about = (nth: number): Finding => ({
    ...{ ...someFinding(`flood ${nth}`, { person: 'eve' }), severity: 'low' },
    detectedAt: new Date(startMs + nth).toISOString(),
  });
  const incidents = Array.from({ length: 5002 }, (_, nth) => joining.find(about(nth)));
  expect(new Set(incidents.slice(0, 5000)).size).toBe(1);
  expect(incidents[5000]).not.toBe(incidents[0]);
  expect(incidents[5001]).toBe(incidents[5000]);
  expect(incidents[0]!.total).toBe(5000);
  expect(joining.history.length).toBeLessThan(300);
});

test('what Tripline or a provider was late with joins what is open and reopens nothing, and whatever else is found does', () => {
  const joining = createJoining([]);
  const found = (nth: number, rule: string) => ({
    ...{
      ...someFinding(`s${nth}`, { person: 'nobody' }),
      rule,
      entities: [{ kind: 'run' as const, id: 'acme/app#7' }],
    },
    detectedAt: new Date(startMs + nth * 60_000).toISOString(),
  });
  const first = joining.find(found(0, 'build-from-unreviewed-commit'));
  expect(joining.find(found(1, 'credential-left-alive'))).toBe(first);
  Object.assign(first, { state: 'resolved', resolution: 'accepted', resolvedMs: startMs + 2 * 60_000 });
  const late = joining.find(found(3, 'credential-left-alive'));
  expect(late).not.toBe(first);
  expect(first.state).toBe('resolved');
  expect(joining.find(found(4, 'gate-unanswered'))).toBe(late);
  Object.assign(late, { state: 'resolved', resolution: 'accepted', resolvedMs: startMs + 5 * 60_000 });
  expect(joining.find(found(6, 'credential-new-runner'))).toBe(late);
  expect(late.state).toBe('open');
});
