import { expect, test } from 'vitest';
import { createAddressLimit } from './address-limit.ts';

test('a clock that is put back takes nothing away from whoever asked before', () => {
  let nowMs = 10_000_000;
  const limit = createAddressLimit({ perSecond: 1, burst: 2 }, () => nowMs);
  expect(limit.take('203.0.113.7')).toEqual({ ok: true });
  nowMs -= 3_600_000;
  expect(limit.take('203.0.113.7')).toEqual({ ok: true });
  expect(limit.take('203.0.113.7')).toEqual({ ok: false, retryAfterS: 1 });
  nowMs += 1000;
  expect(limit.take('203.0.113.7')).toEqual({ ok: true });
});
