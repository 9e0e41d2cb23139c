import { type GateStage, question, startGateStage, workerA, workerB } from '@tripline/testing/services/gate';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { claimQuestions } from './store/gates.ts';

let g: GateStage;
beforeEach(async () => {
  g = await startGateStage();
});
afterEach(() => g.close());

describe('one verdict', () => {
  test('for a question that is delivered twice, whatever the delivery is called', async () => {
    await g.told();
    await g.asked();
    await g.asked();
    await g.asked(question({ id: 'github:again' }));
    await g.answer();
    await g.answer();
    expect(g.github.words).toHaveLength(1);
    expect(await g.rowOf('github:again')).toBeUndefined();
  });

  test('where a question without a deployment comes again under another id; and one for each job that waits', async () => {
    await g.told();
    await g.asked(question({ deploymentId: null }));
    await g.answer();
    await g.asked(question({ id: 'github:again', deploymentId: null }));
    await g.answer();
    g.nowMs += 30_000;
    await g.answer();
    expect(g.github.words).toHaveLength(1);
    expect(await g.rowOf('github:again')).toMatchObject({ state: 'over' });
    // The log knows that it was looked at.
    expect(g.events().at(-1)).toMatchObject({ 'tripline.deployment.question': 'github:again' });
    g.github.waiting.add('production');
    await g.asked(question({ id: 'github:next-job', deploymentId: null }));
    await g.answer();
    expect(g.github.words).toHaveLength(2);
  });

  test('where two questions are about one environment of a run: one is in hand at a time, at whichever replica', async () => {
    await g.told();
    await g.asked(
      question(),
      question({ id: 'github:q2', deploymentId: '502' }),
      question({ id: 'q3', deploymentId: null }),
    );
    const claim = (by: string) =>
      claimQuestions(g.db, { by, nowMs: g.nowMs, forMs: 60_000 }, { fresh: 16, failing: 8 });
    const both = await Promise.all([claim(workerA), claim(workerB)]);
    expect(both.flat()).toHaveLength(1);
    expect(await claim(workerB)).toEqual([]);
    await g.claimsExpire();
    await g.asked(question({ id: 'github:other', environment: 'staging', deploymentId: '503' }));
    expect((await claim(workerB)).map(({ environment }) => environment).sort()).toEqual(['production', 'staging']);
    await g.claimsExpire();
    while ((await g.answer()) > 0) {
      // One after the other: GitHub says of the others that nothing waits.
    }
    expect(g.github.words.filter(({ environment }) => environment === 'production')).toHaveLength(1);
  });

  test('of the attempt that asks: one that ended, or another attempt, is let go', async () => {
    await g.told();
    await g.asked();
    g.github.status = 'completed';
    await g.answer();
    expect(g.github.words).toEqual([]);
    expect(await g.rowOf()).toMatchObject({ state: 'over' });
    expect(g.events()).toMatchObject([{ 'tripline.access.decision': 'denied', 'tripline.pipeline.run.attempt': 1 }]);
    g.github.status = 'waiting';
    g.github.attempt = 2;
    await g.asked(question({ id: 'github:q2', deploymentId: '502' }));
    g.nowMs += 9000;
    await g.answer();
    // What is known is known of attempt 1.
    expect(g.github.words).toMatchObject([{ state: undefined }]);
    await g.told({ job: { run: { id: '9', attempt: 2 } } });
    g.nowMs += 5000;
    await g.answer();
    expect(g.github.words).toMatchObject([{}, { state: 'approved' }]);
  });

  test('none any more where somebody went past the gate while it waited, though all holds later', async () => {
    await g.told({ known: { reviewed: { is: 'unknown', why: 'nobody told' } } });
    await g.asked();
    g.nowMs += 9000;
    await g.answer();
    expect(g.github.words).toMatchObject([{ state: undefined }]);
    g.github.waiting.clear();
    g.github.status = 'in_progress';
    await g.told();
    g.nowMs += 60_000;
    await g.answer();
    expect(g.github.words).toHaveLength(1);
    expect(g.events().map(({ id }) => id)).toEqual(['gate:github:q1:pending', 'gate:github:q1:denied']);
    expect(await g.rowOf()).toMatchObject({ state: 'over' });
  });

  test('of a deployment that GitHub lists a moment after it asked', async () => {
    await g.told();
    await g.asked();
    g.github.waiting.clear();
    await g.answer();
    expect(await g.rowOf()).toMatchObject({ state: 'open' });
    g.github.waiting.add('production');
    g.nowMs += 1000;
    await g.answer();
    expect(g.github.words).toMatchObject([{ state: 'approved' }]);
  });

  test('though whoever said it was killed before it could note that', async () => {
    await g.told();
    await g.asked();
    let kill = true;
    g.github.instead = ({ path }) => {
      if (path.endsWith('/deployment_protection_rule') && kill) {
        kill = false;
        // GitHub took it; the answer was lost with the process.
        g.github.words.push({ environment: 'production', state: 'approved', comment: '' });
        g.github.waiting.delete('production');
        return { status: 204, manner: 'silent' };
      }
      return undefined;
    };
    await g.answer();
    expect(await g.rowOf()).toMatchObject({
      state: 'open',
      decision: 'granted',
      last_fault: expect.stringContaining('timeout'),
    });
    g.nowMs += 60_001;
    await g.answer(workerB);
    expect(g.github.words).toHaveLength(1);
    expect(await g.rowOf()).toMatchObject({ state: 'answered', decision: 'granted' });
    expect(new Set(g.events().map(({ id }) => id))).toEqual(new Set(['gate:github:q1:granted']));
  });

  test('of two replicas, of which one is frozen with the question in hand', async () => {
    await g.told();
    await g.asked();
    const [frozen] = await claimQuestions(
      g.db,
      { by: workerA, nowMs: g.nowMs, forMs: 60_000 },
      { fresh: 1, failing: 1 },
    );
    expect(frozen).toBeDefined();
    // However far ahead the other's own clock is.
    g.nowMs += 600_000;
    expect(await g.answer(workerB)).toBe(0);
    g.nowMs -= 600_000;
    await g.claimsExpire();
    expect(await g.answer(workerB)).toBe(1);
    expect(g.github.words).toHaveLength(1);
    const { answerQuestion } = await import('./gate-answer.ts');
    g.github.waiting.add('production');
    await answerQuestion(g.parts, workerA, frozen!);
    expect(g.github.words).toHaveLength(1);
    expect(g.decided()).toHaveLength(1);
  });

  test('a denial stays one, whatever is learned before GitHub takes it', async () => {
    await g.told({ known: { reviewed: { is: 'unreviewed', why: 'pushed past' } } });
    await g.asked();
    g.github.instead = ({ path }) => (path.endsWith('_rule') ? { status: 502, body: '{}' } : undefined);
    await g.answer();
    await g.told();
    g.github.instead = undefined;
    g.nowMs += 60_000;
    await g.answer();
    expect(g.github.words).toMatchObject([{ state: 'rejected' }]);
    expect(g.events().map(({ id }) => id)).toEqual(['gate:github:q1:denied', 'gate:github:q1:denied']);
  });

  test('a deployment before it, whose success is told beside the question, is waited for', async () => {
    await g.told({ known: { deployedTo: [] } });
    await g.asked();
    await g.answer();
    expect(g.github.words.filter(({ state }) => state !== undefined)).toEqual([]);
    await g.told();
    g.nowMs += 20_000;
    await g.answer();
    expect(g.github.words.at(-1)).toMatchObject({ state: 'approved' });
  });

  test('one that was deployed nowhere is rejected once nothing can be on its way any more', async () => {
    await g.told({ known: { deployedTo: [] } });
    await g.asked();
    await g.answer();
    g.nowMs += 121_000;
    await g.answer();
    expect(g.github.words.at(-1)).toMatchObject({ state: 'rejected' });
    expect(g.github.words.at(-1)!.comment).toContain('promoted');
  });

  test('an approval that GitHub has not taken is none any more once something speaks against it', async () => {
    await g.told();
    await g.asked();
    g.github.instead = ({ path }) => (path.endsWith('_rule') ? { status: 503, body: '{}' } : undefined);
    await g.answer();
    await g.told({ known: { reviewed: { is: 'unreviewed', why: 'its approval was dismissed' } } });
    g.github.instead = undefined;
    g.nowMs += 60_000;
    await g.answer();
    expect(g.github.words).toMatchObject([{ state: 'rejected' }]);
  });
});
