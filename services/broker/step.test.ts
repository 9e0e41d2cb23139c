import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Db } from '@tripline/db/database';
import type { GiveKind } from '@tripline/integrations/minter';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { audience, fakeMinter, type Issuer, startBroker, startIssuer } from '@tripline/testing/services/broker';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Gather } from './asking.ts';

/** The step of the page, run as it stands by the shell that GitHub runs steps with. */
const [, block] = /```yaml\n(permissions[\s\S]*?)```/.exec(
  readFileSync(join(import.meta.dirname, 'README.md'), 'utf8'),
)!;
const { run } = (parse(block!) as { steps: { run: string }[] }).steps[0]!;

const policies = `
audience: https://access.acme.example
tiers: { production: [production] }
policies:
  deploy-api:
    tier: production
    who:
      github:
        repository: acme/api
        caller: .github/workflows/release.yml@refs/heads/main
        workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main
        events: [push]
        ref: refs/heads/main
        environment: production
    needs: { reviewed: true, mfa: { of: trigger, within: 15m } }
    give: [{ github: { repositories: [acme/api], permissions: { contents: read } } }]
`;

let issuer: Issuer;
let runner: Server;
let claims: Record<string, unknown> = {};
let db: Db;
let folder: string;
/** How often the step waited. */
let pauses: string;
forEachTest((database) => {
  db = database.as('broker');
});
beforeAll(async () => {
  issuer = await startIssuer();
  // As the runner of a job answers it: a token for whom it asks.
  runner = createServer(async ({ url, headers }, response) => {
    const aud = new URL(url!, 'http://x').searchParams.get('audience');
    const isOwn = headers.authorization === 'bearer request-token';
    const value = await issuer.token({ ...claims, aud });
    response.writeHead(isOwn ? 200 : 401).end(JSON.stringify({ value, count: 1 }));
  }).listen(0, '127.0.0.1');
});
afterAll(async () => {
  await issuer.close();
  runner.close();
});
let broker: Awaited<ReturnType<typeof startBroker>>;
beforeEach(() => {
  claims = {};
  folder = mkdtempSync(join(tmpdir(), 'tripline-step-'));
  pauses = join(folder, 'pauses');
  // In the place of what ends TLS: the address is the broker's own, without it.
  writeFileSync(
    join(folder, 'curl'),
    `#!/bin/bash\nfor one in "$@"; do args+=("\${one/#$BROKER\\//$PLAIN/}"); done\nexec /usr/bin/env -S PATH='${process.env['PATH']}' curl "\${args[@]}"\n`,
    { mode: 0o755 },
  );
  writeFileSync(join(folder, 'sleep'), `#!/bin/sh\necho "$1" >> '${pauses}'\n`, { mode: 0o755 });
});
afterEach(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

const known: Awaited<ReturnType<Gather>>['known'] = {
  ...{ job: 'running', fork: false, reviewed: { is: 'reviewed', why: 'approved by bea' }, deployedTo: [] },
  ...{ runner: undefined, incidents: [], address: '127.0.0.1', approval: undefined },
};
const approval = { by: 'ada', ageMs: 1000, isPhishingResistant: true };

async function step(): Promise<{ status: number | null; said: string; env: string }> {
  const { port } = runner.address() as AddressInfo;
  const env = {
    PATH: `${folder}:${process.env['PATH']}`,
    ...{ BROKER: audience, PLAIN: broker.base, POLICY: 'deploy-api', GITHUB_ENV: join(folder, 'env') },
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request-token',
    ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${port}/token?api-version=2.0`,
  };
  writeFileSync(env.GITHUB_ENV, '');
  const child = spawn('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', run], { cwd: folder, env });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      said += chunk;
    });
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { status, said, env: readFileSync(env.GITHUB_ENV, 'utf8') };
}

test('the step of the page waits for a broker that starts and for a person, and then has its token', async () => {
  const minter = fakeMinter('github');
  let asked = 0;
  broker = await startBroker(
    { db, stream: fakeStream(), issuer },
    {
      ...{ gives: true, policies },
      seams: {
        isCaughtUp: () => ++asked > 1,
        gather: async () => ({ known: asked > 2 ? { ...known, approval } : known, things: [] }),
        openStepUp: async () => ({ state: 'open', url: `${audience}/step-up/7`, number: '42' }),
        minters: { of: (_kind: GiveKind) => minter as never },
      },
    },
  );
  const { status, said, env } = await step();
  const [token] = minter.alive;
  expect({ status, said }).toEqual({
    status: 0,
    said: `waiting: ${audience}/step-up/7 (number 42)\n::add-mask::${token}\n`,
  });
  expect(env).toBe(`GH_TOKEN=${token}\n`);
  expect(readFileSync(pauses, 'utf8')).toBe('2\n5\n');
  expect(existsSync(join(folder, 'answer.json'))).toBe(false);
});

test('it ends with every reason, and what to do, where it is denied; and where its token proves nobody', async () => {
  broker = await startBroker(
    { db, stream: fakeStream(), issuer },
    { gives: true, policies, seams: { gather: async () => ({ known: { ...known, approval }, things: [] }) } },
  );
  claims = { ref: 'refs/heads/main-evil', event_name: 'pull_request' };
  const { status, said, env } = await step();
  expect(status).toBe(1);
  expect(said).toMatch(/^Policy deploy-api gives this job nothing\n- event: .*\n- ref: .*main-evil.*\n$/);
  claims = { repository_owner_id: '66', sub: 'x' };
  expect(await step()).toMatchObject({
    status: 1,
    said: expect.stringContaining('organisation that is not configured'),
  });
  expect(env).toBe('');
});
