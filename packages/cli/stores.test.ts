import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type GuardedPostgres, password, startGuardedPostgres } from '@tripline/testing/postgres/guarded-postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { main } from './main.ts';

let folder: string;
let secured: GuardedPostgres;
let plain: GuardedPostgres;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-stores-'));
  secured = await startGuardedPostgres({ tls: true });
  plain = await startGuardedPostgres({ tls: false });
  for (const statement of [
    `CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`,
    `CREATE DATABASE bare ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0`,
    'CREATE DATABASE closed',
    'CREATE DATABASE empty',
    'CREATE ROLE nobody_may LOGIN CONNECTION LIMIT 0',
  ]) {
    await secured.admin.pool.query(statement);
  }
});
afterAll(async () => {
  await secured?.close();
  await plain?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function tripline(command: string, databaseUrl: string, env: Record<string, string> = {}) {
  let said = '';
  const say = (text: string) => {
    said += text;
  };
  const io = { out: say, err: say, stdin: Readable.from(['']), cwd: folder, isTerminal: false };
  return { status: await main([command], { ...io, env: { DATABASE_URL: databaseUrl, ...env } }), said };
}

const sentences: [string, string, () => string, RegExp][] = [
  [
    'a wrong password',
    'findings',
    () => secured.url('by_password').replace(encodeURIComponent(password), 'canary'),
    /password authentication failed for user "by_password"; correct the user or the password/,
  ],
  [
    'no password',
    'findings',
    () => secured.url('by_password').replace(/:a%20[^@]*@/, '@'),
    /asks for a password, and DATABASE_URL has none/,
  ],
  ['an unknown user', 'findings', () => secured.url('stranger'), /no pg_hba\.conf entry.*correct the user/],
  [
    'a server that takes TLS only',
    'findings',
    () => secured.url('tls_only', { sslmode: 'disable' }),
    /it accepts TLS only: set sslmode=require/,
  ],
  [
    'an unknown database',
    'findings',
    () => secured.url('by_password', {}, { database: 'none' }),
    /database "none" does not exist; create it \(CREATE DATABASE\)/,
  ],
  [
    'nobody who listens',
    'findings',
    () => 'postgres://by_password@127.0.0.1:1/none',
    /^tripline: 127\.0\.0\.1:1, the server of DATABASE_URL, does not answer \(ECONNREFUSED\); check that it runs/,
  ],
  [
    'nobody who listens at any address of a name',
    'findings',
    () => 'postgres://by_password@localhost:1/none',
    /:1, the server of DATABASE_URL, does not answer \(ECONNREFUSED\)/,
  ],
  [
    'a host that there is not',
    'findings',
    () => 'postgres://by_password@no-such-host.invalid/none',
    /no-such-host\.invalid, the host of DATABASE_URL, cannot be resolved/,
  ],
  [
    'a self-signed certificate to verify',
    'findings',
    () => secured.url('by_password', { sslmode: 'verify-full' }),
    /certificate of an unknown CA.*name its CA with sslrootcert or PGSSLROOTCERT/,
  ],
  [
    'a certificate of another CA',
    'migrate',
    () => secured.url('by_password', { sslmode: 'verify-ca', sslrootcert: secured.stranger }),
    /certificate of an unknown CA/,
  ],
  [
    'a certificate of another name',
    'findings',
    () => secured.url('by_password', { sslmode: 'verify-full', sslrootcert: secured.authority }, { host: '127.0.0.1' }),
    /certificate for another name.*sslmode=verify-ca/,
  ],
  [
    'TLS to a server that has none',
    'findings',
    () => plain.url('by_password', { sslmode: 'require' }),
    /offers no TLS, and sslmode requires it.*sslmode=disable/,
  ],
  [
    'a client certificate that is missing',
    'findings',
    () => secured.url('by_certificate', { sslmode: 'require' }),
    /client certificate; name one with sslcert and sslkey/,
  ],
  [
    'a CA file that is missing',
    'migrate',
    () => secured.url('by_password', { sslmode: 'verify-full', sslrootcert: 'gone.crt' }),
    /the file gone\.crt that DATABASE_URL names as sslrootcert cannot be read \(ENOENT\)/,
  ],
  [
    'a database of LATIN1',
    'migrate',
    () => secured.url('by_password', {}, { database: 'latin' }),
    /encoded as LATIN1.*CREATE DATABASE tripline ENCODING 'UTF8' TEMPLATE template0/,
  ],
  ['a database of SQL_ASCII', 'up', () => secured.url('by_password', {}, { database: 'bare' }), /encoded as SQL_ASCII/],
  [
    'a role that may not make tables',
    'migrate',
    () => secured.url('by_password', {}, { database: 'closed' }),
    /by_password may not make or change the tables .*run `GRANT CREATE ON DATABASE closed TO by_password; GRANT CREATE, USAGE ON SCHEMA public TO by_password` in it/,
  ],
  [
    'no tables',
    'findings',
    () => secured.url('by_password', {}, { database: 'empty' }),
    /lacks Tripline's tables; run `npx tripline migrate`/,
  ],
];

describe('a database that cannot be used is told in one sentence', () => {
  test.each(sentences)('%s', async (_, command, url, sentence) => {
    const { status, said } = await tripline(command, url(), {
      TRIPLINE_PORT: '0',
      TRIPLINE_DATA: join(folder, 'data'),
    });
    // The screen's steps come before it.
    const last = said.trim().split('\n').at(-1)!;
    expect(last).toMatch(/^tripline: /);
    expect(last).toMatch(sentence);
    expect(said).not.toMatch(/\n\s+at /);
    expect(said).not.toMatch(/KAFKA_BROKERS|canary|a password for tests/);
    expect(status).toBe(1);
  });

  test('as libpq’s variables ask for TLS, too', async () => {
    const { authority: PGSSLROOTCERT } = secured;
    const unverified = await tripline('findings', secured.url('by_password'), { PGSSLMODE: 'verify-full' });
    expect(unverified.said).toMatch(/certificate of an unknown CA/);
    const env = { PGSSLMODE: 'verify-full', PGSSLROOTCERT };
    expect((await tripline('findings', secured.url('by_password'), env)).said).toMatch(/lacks Tripline's tables/);
    // The URL comes first.
    const own = secured.url('by_password', { sslmode: 'disable' });
    expect((await tripline('findings', own, env)).said).toMatch(/lacks Tripline's tables/);
  });

  test('a server that takes no writes, whichever way it says so', async () => {
    await plain.becomeStandby();
    const { status, said } = await tripline('migrate', plain.url('by_password'));
    expect(said).toBe(
      'tripline: the server of DATABASE_URL is a standby and takes no writes: use the address of the primary\n',
    );
    expect(status).toBe(1);
  });
});
