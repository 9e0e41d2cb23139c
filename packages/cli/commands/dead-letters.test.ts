import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { loadConfig } from '@tripline/config/config';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createLetters } from '@tripline/sources/letters';
import { deadLetter } from '@tripline/stream/dead-letter';
import { openStream } from '@tripline/stream/open';
import { type Stream, topics } from '@tripline/stream/stream';
import { type FreshDatabase, freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readDeadLetters } from '../dead-letters/read.ts';
import { checkLog } from '../doctor/log.ts';
import { main } from '../main.ts';

let folder: string;
let database: FreshDatabase;
let stream: Stream;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-letters-'));
  database = await freshDatabase();
  const logger = createLogger({ service: 'test', level: 'silent' });
  const config = loadConfig({}, folder);
  stream = await openStream({ config, db: database.as('receiver'), logger, clock: systemClock });
});
afterEach(async () => {
  await stream.close();
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

async function shown(...args: string[]): Promise<string> {
  let said = '';
  const write = (text: string) => {
    said += text;
  };
  const io = { out: write, err: write, stdin: Readable.from(['']), cwd: folder, isTerminal: false };
  expect(await main(['dead-letters', ...args], { ...io, env: { DATABASE_URL: database.urlAs('cli') } })).toBe(0);
  return said;
}
const doctor = async () => {
  const checks = await checkLog(loadConfig({}, folder), database.as('cli'));
  return checks.find(({ name }) => name === 'dead letters');
};

test('shows what could not be read, and what could not be processed, newest first; doctor says that there are some', async () => {
  expect(await shown()).toBe('There are no dead letters.\n');
  expect(await doctor()).toEqual({ name: 'dead letters', state: 'ok', detail: 'none' });

  const event = { ce_id: 'github:e1', ce_workspace: 'acme' };
  const ofLog = { topic: topics.events, partition: 2, offset: 17, appendedAtMs: 0, key: 'acme', headers: event };
  await deadLetter(stream, { ...ofLog, value: Buffer.from('{"a":1}') }, 'the value is odd');
  const byRule = { ...event, tripline_rule: 'some-rule' };
  await deadLetter(stream, { ...ofLog, offset: 18, headers: byRule, value: Buffer.from('no json') }, 'it threw');
  const origin = {
    feed: 'github-audit',
    workspace: 'acme',
    place: 'record 2 of 7\u001b[2J',
    bodySha256: 'ab',
    atMs: 0,
  };
  const letter = createLetters().write({ ignored: 'unexpected-shape', unread: { content: { note: 'x' } } }, origin)!;
  letter.record.headers['tripline_unkept'] = '12';
  await stream.append([letter.record]);

  const lines = (await shown()).trimEnd().split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[0]).toContain(
    'github-audit    unexpected-shape: it has not the form that such a body has  record 2 of 7',
  );
  expect(lines[0]).toContain('acme  12 more were not kept  {"note":"text of 1 characters"}');
  expect(lines[0]).not.toContain('\u001b');
  expect(lines[1]).toContain('rule some-rule  it threw  tripline.events/2@18  acme');
  expect(lines[2]).toContain('log             the value is odd  tripline.events/2@17  acme');
  expect((await shown('--limit', '1')).trimEnd().split('\n')).toEqual([lines[0]]);
  expect(await shown('--since', '2999-01-01')).toBe('There are no dead letters.\n');
  const told = (await shown('--json'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(told.map(({ content }) => content)).toEqual([{ note: 'text of 1 characters' }, 'no json', { a: 1 }]);
  expect(told[1].headers).toMatchObject({ tripline_rule: 'some-rule', tripline_offset: '18' });
  expect(await doctor()).toMatchObject({
    ...{ state: 'ok', remedy: 'see them with `npx tripline dead-letters`' },
    detail: expect.stringMatching(/^3 kept of what .*\(github-audit: unexpected-shape: /),
  });
});

test('reads as far back as it is asked, in parts', async () => {
  const headers = (nth: number) => ({ tripline_reason: String(nth), tripline_feed: 'f', tripline_place: 'p' });
  const value = Buffer.from('1');
  await stream.append(
    Array.from({ length: 1200 }, (_, nth) => ({ topic: topics.deadLetters, key: 'k', headers: headers(nth), value })),
  );
  for (const limit of [1, 499, 500, 501, 1200, 5000]) {
    const { count, letters } = await readDeadLetters(stream, { limit });
    expect(count).toBe(1200);
    const wanted = Array.from({ length: Math.min(limit, 1200) }, (_, nth) => String(1199 - nth));
    expect(letters.map(({ reason }) => reason)).toEqual(wanted);
  }
});
