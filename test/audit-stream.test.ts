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

test('a second factor that is no longer required', async () => {
  const { listening } = findStandalone(env['TRIPLINE_DATA']!)!;
  const record = {
    ...{ '@timestamp': Date.now(), _document_id: 'b1', action: 'org.disable_two_factor_requirement' },
    ...{ actor: 'mallory', actor_id: 2001, org: 'acme', org_id: 77, actor_ip: '203.0.113.7' },
  };
  const answer = await fetch(`${listening!.url}/services/collector`, {
    method: 'POST',
    body: gzipSync(JSON.stringify({ event: record })),
    headers: { authorization: `Splunk ${token}`, 'content-encoding': 'gzip' },
  });
  expect([answer.status, await answer.json()]).toEqual([200, { text: 'Success', code: 0 }]);
  const found = async () => lines((await tripline(['findings', '--json'], env, folder)).out);
  await expect
    .poll(found, until)
    .toMatchObject([{ rule: 'audit-org-disable-two-factor-requirement', severity: 'high', workspace: 'acme' }]);
});
