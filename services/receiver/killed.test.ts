import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@tripline/runtime/logger';
import { signGithub } from '@tripline/sources/github/verify';
import { expect, test } from 'vitest';
import { openSpool } from './spool.ts';

const secret = 'a secret for tests';
const program = `
  import { loadConfig } from '${join(import.meta.dirname, '../../packages/config/config.ts')}';
  import { main } from '${join(import.meta.dirname, 'main.ts')}';
  await main(loadConfig());
`;

test('a receiver that starts without its log keeps what it acknowledges, killed with -9 or not', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'tripline-killed-'));
  let output = '';
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: dataDir,
    env: {
      PATH: process.env['PATH'],
      // Nobody listens there.
      KAFKA_BROKERS: '127.0.0.1:1',
      TRIPLINE_DATA: dataDir,
      TRIPLINE_PORT: '0',
      TRIPLINE_GITHUB_WEBHOOK_SECRET: secret,
    },
  });
  child.stdout!.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  child.stderr!.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  try {
    const address = () => /"address":"(http:[^"]+)"/.exec(output)?.[1];
    await expect.poll(address, { timeout: 20_000, interval: 20 }).toBeDefined();
    for (const id of ['first', 'second']) {
      const body = JSON.stringify({
        action: 'added',
        member: { login: id, id: 4 },
        repository: { full_name: 'acme/app', owner: { login: 'acme' } },
      });
      const answer = await fetch(`${address()}/webhooks/github`, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          'x-github-event': 'member',
          'x-github-delivery': id,
          'x-hub-signature-256': signGithub(body, secret),
        },
      });
      expect(answer.status).toBe(202);
    }
    child.kill('SIGKILL');
    await exited;

    const logger = createLogger({ service: 'test', level: 'silent' });
    const spool = await openSpool({ dir: join(dataDir, 'spool'), limitBytes: 1_000_000, logger });
    const ids = (await spool.peek(10)).map((record) => record.headers['ce_id']);
    await spool.close();
    expect(ids).toEqual(['github:first', 'github:second']);
  } finally {
    child.kill('SIGKILL');
    await exited;
    rmSync(dataDir, { recursive: true, force: true });
  }
});
