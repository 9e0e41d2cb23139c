import { msBetween, parseTime } from '@tripline/contracts/time';
import { deploymentGates, type GateEntry } from '@tripline/facts/deployment-gates';
import { feedDelays, feedDelaysKey, wereLate } from '@tripline/facts/feed-delays';
import { runs } from '@tripline/facts/runs';
import { isSameAccount } from '@tripline/facts/things';
import { z } from 'zod';
import { pastTheApp } from './app-gates.ts';
import { conclusion } from './builders/conclusion.ts';
import { mayBeAmong } from './environment-names.ts';
import { gateVerdict } from './gate-words.ts';

/** How long a decision is waited for once a job is known to have begun: deliveries come late. */
const settleMs = 10 * 60_000;
/** How long it may still be on its way where something of that time is known to have come late, as after an outage, ms. */
const delayedMs = 6 * 3_600_000;
/** What came late says of what happened so long before and after it that it may have come late too, ms. */
const aroundMs = 10 * 60_000;
/** A gate for which no run was asked within this may have been taken away long ago. */
const knownMs = 30 * 86_400_000;

export const rule = conclusion({
  id: 'deployment-gate-bypassed',
  title: 'Deployed to production past its gate',
  description:
    'A job for a production environment began although a review of it was asked for and nobody gave one: somebody with the right to went past the gate, or a rejection did not hold. High, ten minutes after it is known to have begun; where deliveries of that time are known to have come late, as after an outage, medium until six hours have passed. ' +
    'Medium, once a gate, where other runs were asked for a review there within 30 days and this one was not: the gate was taken away, or is no longer told of. Low where whoever set the run off is the only one who approved it. ' +
    'Production is what the provider calls so, and what `environments` names. Environments for which nobody was ever asked are silent. ' +
    'Where Tripline itself is a gate of an environment, of whatever kind: high at once, and certain, for a job that began without its approval.',
  severity: 'high',
  principles: [2, 4],
  attack: ['T1677'],
  owasp: ['CICD-SEC-1', 'CICD-SEC-5'],
  feeds: {
    needs: ['github'],
    better: { 'github-audit': 'tells of going past the gate itself (`workflows.bypass_protection_rules`), by whom' },
  },
  falseAlarms: [
    'An administrator who goes past the gate in an emergency: an exception for them, or resolve it as accepted.',
    'A gate that is taken away for good: resolve the one finding as accepted.',
    'Small teams in which whoever releases also approves: low; “prevent self-review” in the environment’s settings ends it.',
    'The organisation’s webhook no longer sends reviews of deployments (`deployment_review`): switch it on again.',
  ],
  limits: [
    'Gates that are other apps: no event tells what they answered, only what Tripline’s own gate did.',
    'A second attempt at a run that was approved once: the approval counts for it too.',
    'A gate that is taken away before any run was asked for a review there: `control-changed` rows of the audit log tell of it.',
  ],
  about: deploymentGates,
  uses: [runs, feedDelays],
  settings: { environments: z.array(z.string().min(1).max(200)).max(100).default([]) },
  where: ({ asked, answered, entered, questions = [] }) =>
    entered.length > 0 && asked.length + answered.length + questions.length > 0,
  conclude(gate, { key, settings, nowMs, read, watch, recheckAt, explain }) {
    const named = mayBeAmong(settings.environments, gate.environment);
    const ofRuns = Map.groupBy(
      gate.entered.filter(({ production }) => production || named),
      ({ run }) => run,
    );
    const unasked = new Map<string, GateEntry[]>();
    const found = [...ofRuns].flatMap(([run, entries]) => {
      const answers = gate.answered.filter((one) => one.run === run);
      const approvals = answers.filter(({ approved }) => approved);
      if (approvals.length > 0) {
        const attempts = watch(runs, run)?.attempts ?? [];
        // Whoever runs it again after they approved it did not set off what they approved.
        const isOwn = approvals.every(({ by, time }) =>
          attempts.some((one) => by?.id !== undefined && isSameAccount(one.actor, by) && msBetween(one, { time }) >= 0),
        );
        if (!isOwn) explain('somebody else than who set the run off approved it');
        return isOwn ? [gateVerdict(gate, key, run, { entries, because: approvals, severity: 'low' })] : [];
      }
      const heardMs = Math.min(...entries.map((one) => one.heardMs));
      if (nowMs < heardMs + settleMs) {
        recheckAt(heardMs + settleMs);
        return [];
      }
      const request = gate.asked.find((one) => one.run === run);
      const beganMs = parseTime(entries[0]!.time);
      // A review may be on its way that was asked for, or given, while deliveries came late.
      const sinceMs = (request === undefined ? beganMs : parseTime(request.time)) - aroundMs;
      const mayBeLate =
        nowMs < heardMs + delayedMs && wereLate(read(feedDelays, feedDelaysKey), sinceMs, beganMs + aroundMs);
      if (mayBeLate) recheckAt(heardMs + delayedMs);
      if (request !== undefined) {
        const because = [request, ...answers];
        return [gateVerdict(gate, key, run, { entries, because, severity: 'high', ...(mayBeLate && { mayBeLate }) })];
      }
      if (mayBeLate) return [];
      const last = gate.asked.findLast(({ time }) => parseTime(time) < beganMs && beganMs - parseTime(time) < knownMs);
      if (last !== undefined) unasked.set(last.eventId, [...(unasked.get(last.eventId) ?? []), ...entries]);
      return [];
    });
    const gone = [...unasked].map(([eventId, entries]) => {
      const last = gate.asked.filter((one) => one.eventId === eventId);
      return gateVerdict(gate, key, entries[0]!.run, { entries, because: last, severity: 'medium' });
    });
    return [...found, ...gone, ...pastTheApp(gate, key, { explain })];
  },
});
