import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { waitingBreaches } from '../packages/scenarios/breaches.ts';
import { scenarios } from '../packages/scenarios/registry.ts';
import { lines, processesNaming, startTripline, type Tripline, tripline } from '../packages/testing/tripline.ts';

/** `tripline up` as a new user meets it: a process of its own, a fresh folder, nothing configured. */
let folder: string;
let env: Record<string, string>;
const started: Tripline[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-up-'));
  env = { TRIPLINE_DATA: join(folder, 'data'), TRIPLINE_PORT: '0' };
});
afterEach(async () => {
  for (const { child, ended } of started.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
  await expect.poll(() => processesNaming(folder), { timeout: 20_000, interval: 50 }).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

async function up(): Promise<Tripline> {
  const running = startTripline(['up'], env, folder);
  started.push(running);
  await expect
    .poll(() => `${running.out()}${running.err()}`, { timeout: 30_000, interval: 20 })
    // The banner comes in several chunks; this is its last line.
    .toMatch(/Ctrl-C stops it|tripline: /);
  expect(running.err()).toBe('');
  return running;
}

const attack = (...args: string[]) => tripline(['attack', 'tj-actions', '--json', ...args], env, folder);

test('starts in a fresh folder, finds the attack and nothing in its honest twin, and leaves no process', async () => {
  const beganMs = performance.now();
  const running = await up();
  expect(performance.now() - beganMs).toBeLessThan(15_000);
  expect(running.out()).toMatch(/Webhook URL +http:\/\/127\.0\.0\.1:\d+\/webhooks\/github/);
  expect(running.out()).toMatch(/Webhook secret +[0-9a-f]{64}/);
  expect(running.out()).toContain('dry run');
  // A new user is warned of nothing that they need not mend.
  expect(running.out()).not.toMatch(/^! /m);
  expect(statSync(env['TRIPLINE_DATA']!).mode & 0o777).toBe(0o700);

  const played = await attack();
  expect(played.err).toBe('');
  expect(played.status).toBe(0);
  const told = lines(played.out);
  expect(new Set(told.map(({ what }) => what))).toEqual(new Set(['sent', 'found', 'notified', 'responded', 'verdict']));
  for (const item of told) if (item['what'] !== 'verdict') expect(item['ms']).toEqual(expect.any(Number));
  expect(told.at(-1)).toMatchObject({ what: 'verdict', ok: true, faults: [] });

  const benign = await attack('--benign');
  expect(benign.status).toBe(0);
  expect(lines(benign.out).filter(({ what }) => what === 'found')).toEqual([]);

  const found = lines((await tripline(['findings', '--json'], env, folder)).out);
  expect(found.length).toBe(told.filter(({ what }) => what === 'found').length);
  const fields = ['id', 'rule', 'severity', 'confidence', 'workspace', 'subject', 'title', 'decidingEvent'];
  for (const finding of found) {
    expect(Object.keys(finding)).toEqual(
      expect.arrayContaining([...fields, 'occurredAt', 'detectedAt', 'evidence', 'incident']),
    );
  }
  const whole = await tripline(['findings', 'show', String(found[0]!['id']).slice(0, 12)], env, folder);
  expect(whole.out).toContain(String(found[0]!['id']));
  // What the drill sent stands in the trail, and so does what led to the finding.
  const heard = lines((await tripline(['events', '--json', '--since', '1h', '--limit', '1000'], env, folder)).out);
  expect(heard.map(({ id }) => id)).toContain(found[0]!['decidingEvent']);
  // The drill left nothing open: who played it resolved it, and said why.
  const incident = String(found[0]!['incident']);
  const closed = await tripline(['incidents', 'show', incident], env, folder);
  expect(closed.out).toMatch(/resolved as accepted/);
  expect(closed.out).toContain('A drill: tripline attack tj-actions');
  expect((await tripline(['incidents', 'reopen', incident], env, folder)).out).toContain('open');
  expect((await tripline(['incidents', 'ack', incident], env, folder)).out).toContain('acknowledged');
  expect((await tripline(['incidents', 'resolve', incident, '--as', 'true'], env, folder)).out).toContain(
    'resolved as true',
  );
  // For people: one clock, lines that fit, and nothing that was not done is said to be done.
  const shown = await tripline(['attack', 'privilege-grant-outside-job'], env, folder);
  expect(shown.status).toBe(0);
  expect(Math.max(...shown.out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(shown.out).not.toMatch(/revoked|\bdid\b|\btold {5}/);
  expect(shown.out).toMatch(/ would +notify slack of INC-\d+: posted\n/);
  expect(shown.out).toMatch(/ would +(stop|revoke|restore) the /);
  const times = [...shown.out.matchAll(/^ *\+([\d.]+) (ms|s) {2}/gm)].map(
    ([, size, unit]) => Number(size) * (unit === 's' ? 1000 : 1),
  );
  expect(times.length).toBeGreaterThan(3);
  for (const [place, ms] of times.entries()) expect(ms).toBeGreaterThanOrEqual((times[place - 1] ?? 0) - 150);

  expect(await tripline(['trail', 'verify'], env, folder)).toMatchObject({ status: 0 });
  const doctor = await tripline(['doctor'], env, folder);
  expect(doctor.out).toContain('Nothing is broken.');
  expect(doctor.status).toBe(0);

  // A second one on the same folder is refused; the first goes on.
  const second = await tripline(['up'], env, folder);
  expect(second).toMatchObject({ status: 1 });
  expect(second.err).toMatch(/^tripline: another Tripline \(process \d+\) is using .*\n$/);

  running.child.kill('SIGINT');
  expect(await running.ended).toBe(0);
  expect(running.out()).toContain('Stopped.');
  expect(processesNaming(folder)).toEqual([]);
  // What was found can still be read when nothing runs, and reading leaves nothing running.
  expect(lines((await tripline(['findings', '--json'], env, folder)).out)).toHaveLength(found.length + 1);
  expect(processesNaming(folder)).toEqual([]);
});

test('finds every breach at its event, and nothing in any honest twin', async () => {
  const running = await up();
  const played = await tripline(['attack', '--all', '--json'], env, folder);
  const told = lines(played.out);
  expect(told.filter(({ what, ok }) => what === 'scenario' && ok !== true)).toEqual([]);
  expect(played).toMatchObject({ status: 0, err: '' });
  expect(told.filter(({ what }) => what === 'scenario').map((row) => row['scenario'])).toEqual(
    expect.arrayContaining(scenarios.map(({ id }) => id)),
  );
  expect(told.filter(({ what }) => what === 'waiting').map(({ number }) => number)).toEqual(
    waitingBreaches.map(({ number }) => number),
  );
  expect(told.at(-1)).toMatchObject({ what: 'verdict', ok: true, played: scenarios.length });
  // Nothing of them stays open.
  expect((await tripline(['incidents', 'list', '--json'], env, folder)).out).not.toContain('"open"');
  running.child.kill('SIGINT');
  expect(await running.ended).toBe(0);
}, 180_000);

test('killed with -9, it starts again in the same folder with the same secret', async () => {
  const first = await up();
  const secret = /[0-9a-f]{64}/.exec(first.out())![0];
  first.child.kill('SIGKILL');
  await first.ended;
  const second = await up();
  expect(second.out()).toContain(secret);
  expect((await attack()).status).toBe(0);
  second.child.kill('SIGTERM');
  expect(await second.ended).toBe(0);
});

test('says in a sentence that its port is taken', async () => {
  const first = await up();
  const port = /127\.0\.0\.1:(\d+)/.exec(first.out())![1]!;
  const other = { TRIPLINE_DATA: join(folder, 'other'), TRIPLINE_PORT: port, TRIPLINE_OPERATIONS_PORT: '0' };
  const refused = await tripline(['up'], other, folder);
  expect(refused.err).toBe(
    `tripline: port ${port} on 127.0.0.1 is in use; stop what uses it, or set TRIPLINE_PORT to another\n`,
  );
  expect(refused.status).toBe(1);
});
