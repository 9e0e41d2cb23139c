import { Readable } from 'node:stream';
import { credentialHash } from '@tripline/runtime/redact';
import { type FakeService, startFakeService } from '@tripline/testing/integration.conformance';
import { type FreshDatabase, freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { main } from '../main.ts';

let fresh: FreshDatabase;
let github: FakeService;
beforeAll(async () => {
  fresh = await freshDatabase();
  github = await startFakeService(() => ({ status: 202, body: '{}' }));
});
afterAll(async () => {
  await github.close();
  await fresh.close();
});

const token = `ghp_${'c4n4ry'.repeat(6)}`;

async function revoke(env: Record<string, string>) {
  let out = '';
  let err = '';
  const status = await main(['revoke-token', '--reason', `it was in a log: ${token}`], {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    stdin: Readable.from([`${token}\n`]),
    env: { TRIPLINE_GITHUB_API_URL: github.url, ...env },
    cwd: '/nonexistent',
    isTerminal: false,
  });
  return { status, out, err };
}

it('leaves for the log who asked, for which token by its hash, and why, and never a value', async () => {
  expect(await revoke({ DATABASE_URL: fresh.url })).toEqual({
    ...{ status: 0, err: '' },
    out: 'GitHub has taken the token in to revoke.\n',
  });
  const { rows } = await fresh.db.pool.query('SELECT workspace, data FROM outbox');
  expect(rows).toMatchObject([
    {
      workspace: '@tripline',
      data: {
        'tripline.act.kind': 'token-revocation-asked',
        'tripline.act.target': `sha256:${credentialHash(token)}`,
        'tripline.act.proof': 'os-user',
        'tripline.act.reason': expect.stringMatching(/^it was in a log: \[github-token sha256:/),
      },
    },
  ]);
  expect(JSON.stringify(rows)).not.toContain('c4n4ry');
});

it('revokes where there is no database to leave it in, and says so', async () => {
  for (const env of [{}, { DATABASE_URL: 'postgres://127.0.0.1:1/none' }] as Record<string, string>[]) {
    const { status, out, err } = await revoke(env);
    expect({ status, out }).toEqual({ status: 0, out: 'GitHub has taken the token in to revoke.\n' });
    expect(err).toMatch(/^This is not recorded in the audit trail: /);
  }
});
