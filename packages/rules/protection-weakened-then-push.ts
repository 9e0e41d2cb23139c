import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import {
  type ControlChange,
  type Controls,
  controls,
  isRelaxedFor,
  type Relaxation,
  relaxationsOf,
} from '@tripline/facts/controls';
import { repositoryKeyOf } from '@tripline/facts/things';
import { z } from 'zod';
import type { Sight } from './builders/own-fact.ts';
import { temporal } from './builders/temporal.ts';

const hourMs = 3_600_000;
const pushSchema = z.object({ type: z.enum(['branch', 'tag']), name: z.string(), revision: z.string() });
type Push = Sight<z.infer<typeof pushSchema>>;

export const rule = temporal({
  id: 'protection-weakened-then-push',
  title: 'Pushed while a protection was relaxed',
  description:
    'A branch protection or ruleset was made weaker, and within `withinMs` somebody pushed or merged to what it covers, before it was put back. ' +
    'Put back within the same time, it is critical: so is a protection got round and the trace covered. Otherwise it is high where who relaxed it pushed, and medium where somebody else did. ' +
    'One finding for each relaxation and ref, however many pushes. Weaker is: fewer approvals, somebody more who may go round it or push, force or deletion allowed, another pattern left out, not in force, deleted. ' +
    'Checks that must pass do not count, and rulesets of the organisation are not held against pushes.',
  severity: 'critical',
  principles: [5],
  attack: ['T1685'],
  owasp: ['CICD-SEC-1'],
  falseAlarms: [
    'Administrators at maintenance, or an automation that lifts a protection for its own release: an exception for their account, or for the ref.',
    'A protection that is meant to be weaker from now on, and work that goes on meanwhile: medium, to be resolved as accepted.',
  ],
  on: ['dev.cdeventsx.tripline-ref.pushed'],
  settings: { withinMs: z.int().min(1000).max(hourMs).default(hourMs) },
  stretchMs: hourMs,
  key: repositoryKeyOf,
  observe({ data }) {
    const { 'vcs.ref.head.type': type, 'vcs.ref.head.name': name, 'vcs.ref.head.revision': revision } = data;
    return { kind: 'pushes', data: { type: type!, name: clip(name!, 300), revision: revision! } };
  },
  data: pushSchema,
  bounds: { pushes: { perAuthor: 200, most: 600 } },
  tell: ({ by, data: { name, revision } }) => `${by.name} pushed ${revision.slice(0, 12)} to ${name}`,
  begins: [
    { fact: controls, startsMs: (value: Controls) => relaxationsOf(value).map(({ change }) => parseTime(change.time)) },
  ],
  conclude(pushes, { key, read, settings: { withinMs } }) {
    const known = read(controls, key);
    return (known === undefined ? [] : relaxationsOf(known)).flatMap((relaxation) => {
      const isMeanwhile = (push: Push) =>
        afterMs(push, relaxation.change) <= withinMs && isRelaxedFor(relaxation, push.data, parseTime(push.time));
      return [...Map.groupBy(pushes.filter(isMeanwhile), ({ data }) => `${data.type}:${data.name}`).values()].map(
        (same) => verdictOf(same, relaxation, key, withinMs),
      );
    });
  },
});

function verdictOf(
  pushes: readonly Push[],
  { change, aspects, restoredBy }: Relaxation,
  key: string,
  withinMs: number,
) {
  const { name: ref, revision } = pushes[0]!.data;
  const repository = pushes[0]!.repository!.name;
  const control = `${change.kind} ${change.name}`;
  const who = change.by?.login ?? 'somebody unnamed';
  const back = restoredBy !== undefined && afterMs(restoredBy, change) <= withinMs ? restoredBy : undefined;
  const isTheirs = pushes.some(({ by }) => by.id === (change.by?.id ?? change.by?.login.toLowerCase()));
  const pushers = [...new Set(pushes.map(({ by }) => by.name))].slice(0, 5).join(', ');
  const told = (seen: ControlChange, does: string) => {
    const by = seen.by?.login ?? 'somebody unnamed';
    return { fact: controls, key, repository, seen, by, what: `${by} ${does}` };
  };
  return {
    subject: `${repository}@${ref}`,
    occasion: change.eventId,
    severity: back ? ('critical' as const) : isTheirs ? ('high' as const) : ('medium' as const),
    because: [
      told(change, `relaxed ${control}: ${aspects.join(', ')}`),
      ...pushes.slice(0, 20),
      ...(back ? [told(back, `put ${control} back`)] : []),
    ],
    title: `${pushers} pushed to ${ref} of ${repository} while its protection was relaxed`,
    summary:
      `${who} relaxed ${control} of ${repository} (${aspects.join(', ')}), and ${pushers} pushed to ${ref} meanwhile` +
      `${back ? '; then it was put back' : ''}. What was pushed need not have passed what protects ${ref}.`,
    entities: [{ kind: 'commit' as const, id: `${repository}@${revision}` }],
    remedy: [
      `Read what was pushed to ${ref}, and revert it unless somebody answers for it.`,
      `Put ${control} back as it was${back ? ', and look whether all of it is' : ''}.`,
    ],
  };
}

const afterMs = (later: { time: string }, earlier: { time: string }) => parseTime(later.time) - parseTime(earlier.time);
