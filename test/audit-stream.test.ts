import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findStandalone } from '../packages/runtime/data-folder.ts';
import { lines, startTripline, type Tripline, tripline } from '../packages/testing/tripline.ts';

/** What GitHub streams of its audit log ends in a finding, with nothing between but Tripline as a user starts it. */
const token = 'a-token-of-the-stream';
const until = { timeout: 20_000, interval: 50 };
let folder: string;
let running: Tripline;
let env: Record<string, string>;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-audit-'));
  env = { TRIPLINE_DATA: join(folder, 'data'), TRIPLINE_PORT: '0', TRIPLINE_GITHUB_AUDIT_TOKEN: token };
  running = startTripline(['up'], env, folder);
  await expect.poll(running.out, { timeout: 60_000, interval: 50 }).toContain('Ctrl-C stops it');
});
afterEach(async () => {
  running.child.kill('SIGTERM');
  await running.ended;
  rmSync(folder, { recursive: true, force: true });
});

const findings = async () => lines((await tripline(['findings', '--json'], env, folder)).out);

async function stream(...records: object[]): Promise<void> {
  const { listening } = findStandalone(env['TRIPLINE_DATA']!)!;
  const around = { '@timestamp': Date.now(), actor: 'mallory', actor_id: 2001, org: 'acme', org_id: 77 };
  const answer = await fetch(`${listening!.url}/services/collector`, {
    method: 'POST',
    body: gzipSync(records.map((record) => JSON.stringify({ event: { ...around, ...record } })).join('\n')),
    headers: { authorization: `Splunk ${token}`, 'content-encoding': 'gzip' },
  });
  expect([answer.status, await answer.json()]).toEqual([200, { text: 'Success', code: 0 }]);
}

test('a second factor that is no longer required, and one token that clones all there is', async () => {
  await stream({ _document_id: 'b1', action: 'org.disable_two_factor_requirement', actor_ip: '203.0.113.7' });
  const twoFactor = { rule: 'audit-org-disable-two-factor-requirement', severity: 'high', workspace: 'acme' };
  await expect.poll(findings, until).toMatchObject([twoFactor]);

  const clones = Array.from({ length: 10 }, (_, nth) => ({
    ...{
      _document_id: `c${nth}`,
      action: 'git.clone',
      repo: `acme/app-${nth}`,
      repo_id: nth,
      user_agent: 'git/2.51.0',
    },
    hashed_token: 'BdOOzRUsjQMUp0wJbXJ7Ocw9ve2KhPn1JHkqmrVGqjk=',
  }));
  await stream(...clones);
  await expect.poll(async () => (await findings()).map(({ rule }) => rule), until).toContain('token-bulk-clone');
});
