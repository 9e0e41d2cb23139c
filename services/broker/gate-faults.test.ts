import { type GateStage, question, startGateStage } from '@tripline/testing/services/gate';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let g: GateStage;
beforeEach(async () => {
  g = await startGateStage();
});
afterEach(() => g.close());

describe('GitHub', () => {
  test.each<
    [
      string,
      () => { status: number; headers?: Record<string, string>; body?: string; manner?: 'silent' | 'half' },
      string,
    ]
  >([
    ['500', () => ({ status: 500, body: '{}' }), 'provider-failed'],
    ['429', () => ({ status: 429, headers: { 'retry-after': '20' }, body: '{}' }), 'rate-limited'],
    ['silence', () => ({ status: 200, manner: 'silent' }), 'timeout'],
    ['half an answer', () => ({ status: 200, body: '{"id":', manner: 'half' }), 'broken-off'],
    [
      'another run',
      () => ({ status: 200, body: '{"id":8,"run_attempt":1,"status":"waiting","repository":{"id":74}}' }),
      'unexpected',
    ],
  ])('answers %s when it is asked: nothing is said, and it is tried again', async (_, answers, reason) => {
    await g.told();
    await g.asked();
    g.github.instead = ({ path }) => (path.endsWith('/runs/9') ? answers() : undefined);
    await g.answer();
    expect(await g.rowOf()).toMatchObject({
      state: 'open',
      decision: null,
      last_fault: expect.stringContaining(reason),
    });
    expect(g.decided()).toEqual([]);
    g.github.instead = undefined;
    g.nowMs += 60_000;
    await g.answer();
    expect(g.github.words).toMatchObject([{ state: 'approved' }]);
  });

  test.each([403, 404, 422])(
    'answers %d to the verdict: what waits no more is answered, what waits is tried again',
    async (status) => {
      await g.told();
      await g.asked();
      g.github.instead = ({ path }) => (path.endsWith('_rule') ? { status, body: '{"message":"No"}' } : undefined);
      await g.answer();
      expect(await g.rowOf()).toMatchObject({ state: 'open', last_fault: expect.stringContaining('No') });
      g.github.waiting.clear();
      g.nowMs += 60_000;
      await g.answer();
      expect(await g.rowOf()).toMatchObject({ state: 'answered' });
    },
  );

  test('asked an App that nobody configured: said, and tried again', async () => {
    await g.told();
    await g.asked(question({ installation: '9999' }));
    await g.answer();
    expect(await g.rowOf()).toMatchObject({ last_fault: expect.stringContaining('no-app') });
  });

  test('refuses for good a hundred questions: a new one is answered at once, and theirs are asked ever more seldom', async () => {
    const stuck = Array.from({ length: 100 }, (_, nth) =>
      question({ id: `s${nth}`, installation: '12', environment: `e${nth}`, deploymentId: String(600 + nth) }),
    );
    await g.told();
    await g.asked(...stuck);
    while ((await g.answer()) > 0) {
      // Until all were tried once.
    }
    g.nowMs += 60_000;
    await g.asked();
    // A worker takes what fails, and what is new beside it.
    expect(await g.answer()).toBe(9);
    expect(g.github.words).toMatchObject([{ state: 'approved' }]);
    while ((await g.answer()) > 0) {
      // All twice.
    }
    const { rows } = await g.owner.pool.query(
      `SELECT DISTINCT tries, extract(epoch FROM due_at)::float8 * 1000 - $1 AS pause FROM access_gates WHERE state = 'open'`,
      [g.nowMs],
    );
    expect(rows).toEqual([{ tries: 2, pause: 60_000 }]);
  });

  test('is told nothing while the log is away', async () => {
    await g.told();
    await g.asked();
    g.stream.away = true;
    await g.answer();
    expect(g.github.words).toEqual([]);
    g.stream.away = false;
    g.nowMs += 60_000;
    await g.answer();
    expect(g.github.words).toMatchObject([{ state: 'approved' }]);
  });
});
