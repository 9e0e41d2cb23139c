import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openDatabase } from '@tripline/db/database';
import { startZombie } from '@tripline/testing/zombie';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Embedded, startEmbedded } from './embedded.ts';

let folder: string;
const children = new Set<ChildProcess>();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-embedded-'));
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  for (const { pid } of processesOf(folder)) process.kill(pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Live processes whose command names the folder. */
function processesOf(path: string): { pid: number; command: string }[] {
  const lines = execFileSync('ps', ['-ww', '-eo', 'pid=,stat=,command='], { encoding: 'utf8' }).split('\n');
  return lines
    .map((line) => line.match(/^\s*(\d+)\s+(\S+)\s+(.*)$/))
    .filter((match) => match !== null && !match[2]!.startsWith('Z') && match[3]!.includes(path))
    .map((match) => ({ pid: Number(match![1]), command: match![3]! }));
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const db = openDatabase(url, { applicationName: 'embedded-test', maxConnections: 1 });
  try {
    return (await db.pool.query(sql)).rows;
  } finally {
    await db.close();
  }
}
const serverPid = async (url: string) =>
  (await query(url, `SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1) AS pid`))[0]!['pid'];

/** Another process that starts the server, says so, and stops it when its input ends. */
async function startElsewhere(dataDir: string): Promise<ChildProcess> {
  const code = `
    const { startEmbedded } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, 'embedded.ts')).href)});
    const { stop } = await startEmbedded({ dataDir: ${JSON.stringify(dataDir)} });
    console.log('up');
    process.stdin.resume().on('end', stop);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.add(child);
  await Promise.race([once(child.stdout!, 'data'), once(child, 'exit').then(() => expect.fail('it did not start'))]);
  return child;
}

test('what was committed is there after a restart, and nothing runs in between', async () => {
  const dataDir = join(folder, 'postgres');
  const first = await startEmbedded({ dataDir });
  await query(first.url, 'CREATE TABLE kept AS SELECT 1 AS one');
  expect(
    await query(first.url, `SELECT current_setting('fsync') || current_setting('synchronous_commit') AS on`),
  ).toEqual([{ on: 'onon' }]);
  await first.stop();
  expect(processesOf(dataDir)).toEqual([]);
  const second = await startEmbedded({ dataDir });
  expect(await query(second.url, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
  await second.stop();
  await second.stop();
});

test('a path that is long and has spaces and quotes', async () => {
  const dataDir = join(folder, `a long "name", it's one `.repeat(6), 'postgres');
  const { url, stop } = await startEmbedded({ dataDir });
  expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await stop();
});

test('it listens on no network, and its folder is its own', async () => {
  const { url, stop } = await startEmbedded({ dataDir: join(folder, 'postgres') });
  expect(await query(url, `SELECT current_setting('listen_addresses') AS tcp`)).toEqual([{ tcp: '' }]);
  expect(execFileSync('ls', ['-ld', join(folder, 'postgres')], { encoding: 'utf8' })).toMatch(/^drwx------/);
  await stop();
});

test('several starters at once share one server, which the last of them stops', async () => {
  const dataDir = join(folder, 'postgres');
  const [elsewhere, ...here] = (await Promise.all([
    startElsewhere(dataDir),
    startEmbedded({ dataDir }),
    startEmbedded({ dataDir }),
  ])) as [ChildProcess, Embedded, Embedded];
  expect(await serverPid(here[0].url)).toBe(await serverPid(here[1].url));
  await here[0].stop();
  elsewhere.stdin!.end();
  expect(await once(elsewhere, 'exit')).toEqual([0, null]);
  expect(await query(here[1].url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await here[1].stop();
  expect(processesOf(dataDir)).toEqual([]);
});

test('its starter killed with -9: it goes by itself', async () => {
  const dataDir = join(folder, 'postgres');
  const starter = await startElsewhere(dataDir);
  expect(processesOf(dataDir)).not.toEqual([]);
  starter.kill('SIGKILL');
  await expect.poll(() => processesOf(dataDir), { timeout: 10_000, interval: 20 }).toEqual([]);
});

test('its starter killed with -9 while a backend is stopped: it goes by itself', async () => {
  const dataDir = join(folder, 'postgres');
  const starter = await startElsewhere(dataDir);
  const joined = await startEmbedded({ dataDir });
  const db = openDatabase(joined.url, { applicationName: 'embedded-test', maxConnections: 1 });
  const { rows } = await db.pool.query('SELECT pg_backend_pid() AS pid');
  process.kill(rows[0].pid, 'SIGSTOP');
  await joined.stop();
  starter.kill('SIGKILL');
  await expect.poll(() => processesOf(dataDir), { timeout: 10_000, interval: 20 }).toEqual([]);
  await db.close().catch(() => {});
});

test('its starter killed with -9 while others use it: it stays for them, and goes with the last', async () => {
  const dataDir = join(folder, 'postgres');
  const starter = await startElsewhere(dataDir);
  const joined = await startEmbedded({ dataDir });
  await query(joined.url, 'CREATE TABLE kept AS SELECT 1 AS one');
  const served = await serverPid(joined.url);
  const watchdogs = () => processesOf(dataDir).filter(({ command }) => command.includes('watchdog'));
  expect(watchdogs()).toHaveLength(2);
  starter.kill('SIGKILL');
  const next = await startElsewhere(dataDir);
  await expect.poll(() => watchdogs().length, { timeout: 10_000, interval: 20 }).toBe(2);
  await joined.stop();
  const last = await startEmbedded({ dataDir });
  expect(await serverPid(last.url)).toBe(served);
  expect(await query(last.url, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
  await last.stop();
  next.kill('SIGKILL');
  await expect.poll(() => processesOf(dataDir), { timeout: 10_000, interval: 20 }).toEqual([]);
});

test('left behind without a watchdog, it makes way for the next start', async () => {
  const dataDir = join(folder, 'postgres');
  const starter = await startElsewhere(dataDir);
  const { pid } = processesOf(dataDir).find(({ command }) => command.includes('watchdog'))!;
  process.kill(pid, 'SIGKILL');
  starter.kill('SIGKILL');
  await once(starter, 'exit');
  const orphans = processesOf(dataDir).filter(({ command }) => command.includes('postgres'));
  expect(orphans).not.toEqual([]);
  const { url, stop } = await startEmbedded({ dataDir });
  expect(orphans.map((orphan) => String(orphan.pid))).not.toContain(await serverPid(url));
  await stop();
  expect(processesOf(dataDir)).toEqual([]);
});

test('server and starter killed with -9: the next start recovers', async () => {
  const dataDir = join(folder, 'postgres');
  const starter = await startElsewhere(dataDir);
  for (const { pid } of processesOf(dataDir)) process.kill(pid, 'SIGKILL');
  starter.kill('SIGKILL');
  const { url, stop } = await startEmbedded({ dataDir });
  expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await stop();
});

test('a pid file that names a stranger is no server', async () => {
  const dataDir = join(folder, 'postgres');
  await (await startEmbedded({ dataDir })).stop();
  writeFileSync(join(dataDir, 'cluster/postmaster.pid'), `${process.pid}\n${dataDir}/cluster\n`);
  const { url, stop } = await startEmbedded({ dataDir });
  expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await stop();
});

test('a zombie is neither the server nor one of its users', async () => {
  const dataDir = join(folder, 'postgres');
  await (await startEmbedded({ dataDir })).stop();
  const zombie = await startZombie();
  writeFileSync(join(dataDir, 'cluster/postmaster.pid'), `${zombie.pid}\n${dataDir}/cluster\n`);
  const starter = await startElsewhere(dataDir);
  writeFileSync(join(dataDir, 'users', `${zombie.pid}.0`), '');
  // Its watchdog finds nobody else who uses the server.
  starter.kill('SIGKILL');
  await expect.poll(() => processesOf(dataDir), { timeout: 10_000, interval: 20 }).toEqual([]);
  await zombie.reap();
});

test('what keeps it from starting is said', async () => {
  const dataDir = join(folder, 'postgres');
  await expect(startEmbedded({ dataDir, settings: { shared_buffers: 'plenty' } })).rejects.toThrow(/shared_buffers/);
  expect(processesOf(dataDir)).toEqual([]);
  const older = join(folder, 'older');
  mkdirSync(join(older, 'cluster'), { recursive: true });
  writeFileSync(join(older, 'cluster/PG_VERSION'), '17\n');
  await expect(startEmbedded({ dataDir: older })).rejects.toThrow(/made by PostgreSQL 17/);
});

test('a process that stops it ends by itself, whatever ends first', async () => {
  const dataDir = join(folder, 'postgres');
  for (let round = 0; round < 5; round += 1) {
    const elsewhere = await startElsewhere(dataDir);
    elsewhere.stdin!.end();
    expect(await once(elsewhere, 'exit')).toEqual([0, null]);
    expect(processesOf(dataDir)).toEqual([]);
  }
});
