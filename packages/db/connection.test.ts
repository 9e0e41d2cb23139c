import { type GuardedPostgres, startGuardedPostgres } from '@tripline/testing/postgres/guarded-postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from './database.ts';

/** Whether this connection speaks TLS. */
async function speaksTls(url: string): Promise<boolean> {
  const db = openDatabase(url, { applicationName: 'test', maxConnections: 1 });
  try {
    const { rows } = await db.pool.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
    return rows[0].ssl;
  } finally {
    await db.close();
  }
}

describe('TLS as libpq speaks it', () => {
  let secured: GuardedPostgres;
  let plain: GuardedPostgres;
  beforeAll(async () => {
    secured = await startGuardedPostgres({ tls: true });
    plain = await startGuardedPostgres({ tls: false });
  });
  afterAll(async () => {
    await secured?.close();
    await plain?.close();
  });
  const to = (sslmode: string | undefined, more: Record<string, string> = {}, host?: string) =>
    secured.url('by_password', { ...(sslmode ? { sslmode } : {}), ...more }, host ? { host } : {});

  test('is taken where the server offers it, and not asked who it is, unless told otherwise', async () => {
    for (const mode of [undefined, 'allow', 'prefer', 'require']) expect(await speaksTls(to(mode)), mode).toBe(true);
    expect(await speaksTls(to('disable'))).toBe(false);
    expect(await speaksTls(secured.url('tls_only'))).toBe(true);
  });

  test('is left where the server has none, unless it is asked for', async () => {
    for (const sslmode of ['disable', 'allow', 'prefer']) {
      expect(await speaksTls(plain.url('by_password', { sslmode })), sslmode).toBe(false);
    }
    for (const sslmode of ['require', 'verify-ca', 'verify-full']) {
      await expect(speaksTls(plain.url('by_password', { sslmode }))).rejects.toThrow(/does not support SSL/);
    }
  });

  test('verify-ca wants a known CA, and verify-full the name that was asked for, too', async () => {
    const sslrootcert = secured.authority;
    expect(await speaksTls(to('verify-ca', { sslrootcert }))).toBe(true);
    expect(await speaksTls(to('verify-full', { sslrootcert }))).toBe(true);
    expect(await speaksTls(to('verify-ca', { sslrootcert }, '127.0.0.1'))).toBe(true);
    await expect(speaksTls(to('verify-full', { sslrootcert }, '127.0.0.1'))).rejects.toThrow(/127\.0\.0\.1/);
    for (const mode of ['verify-ca', 'verify-full', 'require']) {
      const stranger = speaksTls(to(mode, { sslrootcert: secured.stranger }));
      await expect(stranger, mode).rejects.toThrow(/certificate/);
    }
    await expect(speaksTls(to('verify-full'))).rejects.toThrow(/certificate/);
  });

  test('shows a certificate of its own', async () => {
    const { certificate: sslcert, key: sslkey } = secured.client;
    expect(await speaksTls(secured.url('by_certificate', { sslmode: 'require', sslcert, sslkey }))).toBe(true);
    await expect(speaksTls(secured.url('by_certificate', { sslmode: 'require' }))).rejects.toThrow(/certificate/);
  });

  test('names a file that cannot be read, and a mode that there is not', () => {
    expect(() => openDatabase(to('verify-full', { sslrootcert: '/nowhere.crt' }), { applicationName: 'test' })).toThrow(
      'the file /nowhere.crt that DATABASE_URL names as sslrootcert cannot be read (ENOENT)',
    );
    expect(() => openDatabase(to('verify_full'), { applicationName: 'test' })).toThrow(/wrong sslmode; use one of/);
  });
});
