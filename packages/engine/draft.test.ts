import { findingSchema } from '@tripline/contracts/finding';
import type { AnyRule, FindingDraft } from '@tripline/contracts/rule';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completeFinding, type Occasion } from './draft.ts';

const time = '2026-03-01T00:00:00Z';
const rule = { id: 'some-rule', severity: 'critical', attack: ['T1078'], owasp: ['CICD-SEC-1'] } as unknown as AnyRule;
const at: Occasion = { workspace: 'acme', rule, event: null, nowMs: Date.parse(time) };
const evidence = { eventId: 'e1', eventType: 'dev.cdevents.branch.created', time, what: 'A branch was made.' } as const;
const cancel = {
  action: 'stop-run',
  provider: 'github',
  instance: 'github.com',
  repository: 'acme/app',
  runId: '7',
} as const;
const draft: FindingDraft = {
  subject: 'acme/app@main',
  occasion: 'run 7',
  confidence: 'high',
  title: 'A title',
  summary: 'A summary.',
  decidedBy: { eventId: 'e1', time },
  evidence: [evidence],
  entities: [{ kind: 'user', id: 'ada' }],
  response: [cancel],
  remedy: ['Look at it.'],
};
const complete = (changes: object) => completeFinding({ ...draft, ...changes } as FindingDraft, at);

describe('a finding that does not fit its schema is recorded all the same', () => {
  it('its texts cut between characters, as grave as before: who chooses names must not choose how grave it is', () => {
    const long = complete({
      title: '😀'.repeat(200),
      summary: 'x'.repeat(5000),
      evidence: [{ ...evidence, what: `x${'😀'.repeat(1500)}` }],
    });
    expect(long).toMatchObject({ severity: 'critical', confidence: 'high', subject: draft.subject });
    expect(long.title).toMatch(/^(😀)+…$/u);
    expect(long.title.length).toBeGreaterThan(295);
    expect(long.evidence[0]!.what.isWellFormed()).toBe(true);
    expect(long.summary).not.toContain('Left out');
  });

  it('without what others made too long, which the summary names', () => {
    const name = 'r'.repeat(600);
    const runner = {
      action: 'isolate-runner',
      provider: 'github',
      instance: 'github.com',
      organization: 'acme',
      runnerId: '9',
      runnerName: name,
    };
    const found = complete({
      evidence: [{ ...evidence, url: `https://github.com/${name.repeat(10)}` }],
      entities: [
        { kind: 'runner', id: name },
        { kind: 'runner', id: `${name}2` },
        { kind: 'user', id: '' },
      ],
      response: [runner, { ...cancel, runId: name }, cancel],
    });
    expect(found.severity).toBe('critical');
    expect(found.evidence).toEqual([evidence]);
    expect(new Set(found.entities.map(({ id }) => id)).size).toBe(2);
    const { runnerName: _, ...rest } = runner;
    expect(found.response).toEqual([cancel, rest]);
    expect(found.summary).toBe(
      'A summary. Left out, since it did not fit: entities.id, evidence.url, response.runId, response.runnerName.',
    );
  });

  it('low, where its rule is at fault, with what is left', () => {
    const found = complete({
      confidence: 'sure',
      title: 7,
      evidence: [{ ...evidence, time: 'yesterday' }, evidence],
      entities: [{ kind: 'planet', id: 'earth' }],
      remedy: undefined,
    });
    expect(found).toMatchObject({ severity: 'low', confidence: 'low', title: 'some-rule: acme/app@main' });
    expect(found.evidence).toEqual([evidence]);
    expect(found.entities).toEqual([]);
    expect(found.summary).toMatch(/Left out, since it did not fit: confidence, entities.kind, evidence.time, title\.$/);
  });

  it('whatever a rule says', () => {
    fc.assert(
      fc.property(
        fc.record(
          {
            confidence: fc.anything(),
            title: fc.anything(),
            summary: fc.anything(),
            evidence: fc.anything(),
            entities: fc.array(fc.anything()),
            response: fc.array(fc.anything()),
            remedy: fc.array(fc.anything()),
            severity: fc.anything(),
          },
          { requiredKeys: [] },
        ),
        (changes) => {
          const found = complete(changes);
          expect(findingSchema.safeParse(found).success).toBe(true);
          expect(found).toMatchObject({ rule: rule.id, subject: draft.subject, occasion: draft.occasion });
        },
      ),
    );
  });
});

it('one that fits is left as it is', () => {
  const { severity, confidence, title, summary, evidence: kept, entities, response, remedy } = complete({});
  expect({ confidence, title, summary, evidence: kept, entities, response, remedy }).toEqual({
    ...{ confidence: draft.confidence, title: draft.title, summary: draft.summary, evidence: draft.evidence },
    ...{ entities: draft.entities, response: draft.response, remedy: draft.remedy },
  });
  expect(severity).toBe('critical');
});

it.each([
  ['subject', { subject: '' }],
  ['occasion', { occasion: undefined }],
  ['decidedBy', { decidedBy: undefined }],
])('what it is known by must be there: %s', (_, changes) => expect(() => complete(changes)).toThrow());
