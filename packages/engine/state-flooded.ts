import { defineRule, type FindingDraft } from '@tripline/contracts/rule';
import { z } from 'zod';
import type { Frame } from './context.ts';
import type { Flood } from './learn-facts.ts';

/**
 * Found by the engine itself, never by a rule: somebody did more than is kept. It stands in the catalogue like a rule, and
 * no setting turns it off, since it says that others may be wrong.
 */
export const rule = defineRule<unknown, Record<string, never>>({
  id: 'state-flooded',
  title: 'More was done than is kept',
  description:
    'What is known of a run, a commit or a grant is bounded for each kind of act and each author, since whoever attacks chooses how much there is. When somebody reaches such a bound within six hours, or many together do, the latest acts stay, and those on which a standing finding rests; what is concluded from the rest is less sure, and nothing is explained away by it.',
  severity: 'low',
  confidence: 'high',
  principles: [5],
  attack: ['T1562'],
  owasp: ['CICD-SEC-10'],
  feeds: { needs: ['github', 'github-audit'] },
  falseAlarms: [
    'An automation that pushes, reviews or comments hundreds of times on one thing: look at what it does, and resolve as accepted.',
  ],
  reads: [],
  settings: z.strictObject({}),
  learns: false,
});

/** One finding for each kind and author of a fact, however many things they flood. */
export function floodOf(
  { fact, key, kind, author }: Flood,
  { event, nowMs }: Pick<Frame, 'event' | 'nowMs'>,
): FindingDraft {
  const who = author === '' ? 'somebody unnamed' : author;
  return {
    subject: `${fact.id} ${kind} ${who}`,
    occasion: 'bound reached',
    title: `More ${kind} of ${fact.id} by ${who} than are kept`,
    summary: `Of ${kind} by ${who}, as many were received as are kept of ${key} (${fact.id}). The latest stay, and those on which a standing finding rests. What is concluded from it is less sure.`,
    confidence: 'high',
    // Each that comes too much would be another line.
    evidence: [],
    entities: [],
    response: [],
    remedy: [`Look at what ${who} does there: more than an honest person does, or an automation.`],
    decidedBy: { eventId: event?.id ?? '', time: event?.time ?? new Date(nowMs).toISOString() },
  };
}
