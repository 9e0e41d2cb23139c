import { checkGrants } from '@tripline/health/grants';
import { createLogger } from '@tripline/runtime/logger';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { addGrant } from '@tripline/testing/services/broker-grants';
import { describe, expect, test } from 'vitest';
import { checkSeals } from './check-seals.ts';
import { createSeals } from './seal.ts';

describe('values that are kept', () => {
  let fresh: Parameters<Parameters<typeof forEachTest>[0]>[0];
  forEachTest((one) => {
    fresh = one;
  });
  const [former, other] = [createSeals(['a-former-key-of-seals']), createSeals(['another-key-of-seals'])];
  const add = (id: string, sealed: Buffer | null) =>
    addGrant(fresh.db, { id, keys: { run: id, job: id }, sealed, askedAtMs: Date.now() });
  async function start(seals: typeof former) {
    const lines: string[] = [];
    const logger = createLogger(
      { service: 'broker', level: 'info' },
      { write: (line: string) => void lines.push(line) },
    );
    await checkSeals({ db: fresh.as('broker'), logger, seals });
    return lines.join('');
  }
  const doctor = async () => (await checkGrants(fresh.as('cli'))).map(({ state }) => state);

  test('are opened at the start: where the key was changed while jobs have something, people are told at once', async () => {
    await add('g1', former.seal('canary-of-g1', { grantId: 'g1', nth: 0 }));
    await add('g2', other.seal('canary-of-g2', { grantId: 'g2', nth: 0 }));
    await add('by its handle', null);
    const said = await start(other);
    expect(JSON.parse(said)).toMatchObject({
      ...{ level: 50, credentials: 1, help: expect.stringContaining('put the former key back') },
      reason: expect.stringContaining('sealed by a key that broker.sealingKeys does not name'),
    });
    expect(said).not.toContain('canary');
    expect(await doctor()).toEqual(['broken']);
    expect(await start(createSeals(['another-key-of-seals', 'a-former-key-of-seals']))).toBe('');
    expect(await doctor()).toEqual(['ok']);
  });

  test('are none where nothing lives', async () => {
    expect(await start(other)).toBe('');
  });
});
