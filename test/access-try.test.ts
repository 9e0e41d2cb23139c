import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lines, processesNaming, tripline } from '../packages/testing/tripline.ts';

/** `tripline access try` as a new user runs it: the whole loop of the broker, in a process of its own. */
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-access-'));
});
afterEach(async () => {
  await expect.poll(() => processesNaming(folder), { timeout: 20_000, interval: 50 }).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

test('a job gets a token that dies with it, whoever uses it then is found, and the gate lets nothing through unreviewed', async () => {
  const played = await tripline(['access', 'try', '--json'], { TMPDIR: folder }, folder);
  const told = lines(played.out) as {
    kind: string;
    title?: string;
    text?: string;
    ok?: boolean;
    took?: { what: string; ms: number };
  }[];
  // How fast it was is for whoever runs it, and not for a machine that runs other tests beside it.
  expect(told.filter(({ ok, took }) => ok === false && took === undefined)).toEqual([]);
  expect(played.err).toBe('');
  const isFast = told.slice(0, -1).every(({ ok }) => ok !== false);
  expect({ status: played.status, last: told.at(-1) }).toEqual({
    status: isFast ? 0 : 1,
    last: { kind: 'verdict', ok: isFast },
  });
  const took = new Set(told.flatMap(({ took: one }) => one?.what ?? []));
  expect([...took]).toEqual(['end delivered to token dead', 'deployment-gate-bypassed', 'credential-use-outside-job']);
  const chapter = told.findIndex(({ title }) => title?.startsWith('What stands by itself'));
  const stands = told.slice(chapter).flatMap(({ kind, text }) => (kind === 'line' ? [text!] : []));
  // Each row that the stand-in has, and after it, before the next, the call that retires it.
  const planOf = (row: RegExp) => {
    const at = stands.findIndex((line) => row.test(line));
    expect(at, `${row} in ${stands.join('\n')}`).toBeGreaterThan(0);
    return stands.slice(at).find((line) => line.includes('retire: '));
  };
  expect(stands[0]).toMatch(/^acme-try: \d+ things stand$/);
  expect(planOf(/ deploy key release bot/)).toContain('retire: DELETE /repos/acme-try/shop/keys/41');
  expect(planOf(/ secret CLOUD_KEY/)).toContain('retire: DELETE /orgs/acme-try/actions/secrets/CLOUD_KEY');
  expect(planOf(/ environment production/)).toContain(
    'retire: POST /repos/acme-try/shop/environments/production/deployment_protection_rules',
  );
  expect(planOf(/ owner ada/)).toContain('retire: PUT /orgs/acme-try/memberships/ada {"role":"member"}');
  expect(planOf(/ right of every member write to every repository/)).toContain(
    'retire: PATCH /orgs/acme-try {"default_repository_permission":"read"}',
  );
  // The story has a token for GitHub, and no App.
  expect(stands.filter((line) => line.startsWith('not read:'))).toEqual([
    expect.stringContaining('fine-grained tokens'),
  ]);
  // What a step prints to have its runner mask it is the one place where a token would be.
  expect(played.out).not.toMatch(/ghs_/);
  expect(readdirSync(folder)).toEqual([]);
});
