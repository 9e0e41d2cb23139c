import { findCanaries } from '@tripline/testing/postgres/every-table';
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

  test.each(['0', '-5'])('asks for a pause of %s s: it is asked ever more seldom all the same', async (seconds) => {
    await g.told();
    await g.asked();
    g.github.instead = ({ path }) =>
      path.endsWith('_rule') ? { status: 429, headers: { 'retry-after': seconds }, body: '{}' } : undefined;
    const fromMs = g.nowMs;
    for (let s = 0; s <= 20; s += 0.25) {
      g.nowMs = fromMs + s * 1000;
      await g.answer();
    }
    expect(g.github.minted()).toBeLessThanOrEqual(6);
    expect(g.github.minted()).toBeGreaterThanOrEqual(3);
  });

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

test('no token with which the gate answers is anywhere, though GitHub repeats it in its errors', async () => {
  const repeats = (status: number) => ({
    status,
    headers: { 'x-echo': g.github.values.join() },
    body: JSON.stringify({ message: `no: ${g.github.values.join(' ')}` }),
  });
  await g.told();
  for (const [nth, [of, status]] of (
    [
      ...[403, 422, 500].map((status) => ['/access_tokens', status] as const),
      ...[401, 403, 422, 500].map((status) => ['/runs/9', status] as const),
      ...[401, 403, 422, 500].map((status) => ['_rule', status] as const),
      ['/installation/token', 500],
      ['nothing', 200],
    ] as const
  ).entries()) {
    await g.asked(question({ id: `q${nth}`, deploymentId: String(600 + nth) }));
    g.github.instead = ({ path }) => (path.endsWith(of) ? repeats(status) : undefined);
    await g.answer();
    g.nowMs += 60_000;
  }
  expect(g.github.words).toMatchObject([{ state: 'approved' }]);
  expect(g.lines.join()).toContain('GitHub answered 500');
  const values = Object.fromEntries(g.github.values.map((value, nth) => [`token ${nth}`, value]));
  expect(g.github.values.length).toBeGreaterThan(5);
  const places = {
    lines: g.lines.join('\n'),
    metrics: await g.metrics(),
    topics: g.stream.appended.map(({ value, headers }) => `${value}${JSON.stringify(headers)}`).join('\n'),
    comments: JSON.stringify(g.github.words),
  };
  expect(places.topics).toContain('credential.minted');
  expect(await findCanaries(g.owner, { ...values, key: g.github.privateKey.split('\n')[10]! }, places)).toEqual([]);
});
