import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@tripline/runtime/logger';
import type { NewRecord } from '@tripline/stream/stream';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSpool, type Spool } from './spool.ts';
import { encodeFrame } from './spool-frames.ts';

const logger = createLogger({ service: 'test', level: 'silent' });
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tripline-spool-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (options: { dir?: string; limitBytes?: number; segmentBytes?: number } = {}) =>
  openSpool({ dir, limitBytes: 1024 * 1024, logger, ...options });
const record = (name: string): NewRecord => ({
  topic: 'events',
  key: 'acme',
  headers: { ce_id: name },
  value: Buffer.from(JSON.stringify({ name })),
});
const nameOf = (one: NewRecord) => one.headers['ce_id']!;

/** Takes everything out, in order. */
async function drain(spool: Spool, limit = 100): Promise<string[]> {
  const names: string[] = [];
  for (;;) {
    const records = await spool.peek(limit);
    if (records.length === 0) return names;
    names.push(...records.map(nameOf));
    await spool.drop(records.length);
  }
}
const segments = () =>
  readdirSync(dir)
    .filter((name) => name.endsWith('.spool'))
    .sort();

test('a record comes back as it was', async () => {
  const spool = await open();
  const written = { topic: 't', key: 'ä', headers: { a: '💥', b: '' }, value: Buffer.from('{"x":"\\u0000 ü"}') };
  expect(await spool.write([written])).toEqual([true]);
  expect(await spool.peek(1)).toEqual([written]);
  await spool.close();
});

test('behaves as a queue, whatever is written, drained, closed and opened again', async () => {
  const command = fc.oneof(
    fc.record({ verb: fc.constant('write' as const), count: fc.integer({ min: 1, max: 8 }) }),
    fc.record({ verb: fc.constant('take' as const), count: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ verb: fc.constant('reopen' as const), count: fc.constant(0) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { maxLength: 30 }),
      fc.integer({ min: 1, max: 600 }),
      async (commands, segmentBytes) => {
        const folder = mkdtempSync(join(dir, 'model-'));
        let spool = await open({ dir: folder, segmentBytes });
        let next = 0;
        let expected: string[] = [];
        for (const { verb, count } of commands) {
          if (verb === 'write') {
            const names = Array.from({ length: count }, () => `r${next++}`);
            await spool.write(names.map(record));
            expected.push(...names);
          } else if (verb === 'take') {
            const taken = (await spool.peek(count)).map(nameOf);
            expect(taken).toEqual(expected.slice(0, taken.length));
            expect(taken.length > 0).toBe(expected.length > 0);
            if (taken.length > 0) await spool.drop(taken.length);
            expected = expected.slice(taken.length);
          } else {
            await spool.close();
            spool = await open({ dir: folder, segmentBytes });
            // What was drained from a segment that still stands comes again; nothing that waited is lost or moved.
            const all = await drain(spool);
            expect(all.slice(all.length - expected.length)).toEqual(expected);
            expected = [];
          }
          expect(spool.empty()).toBe(expected.length === 0);
        }
        expect(await drain(spool)).toEqual(expected);
        expect(spool.empty()).toBe(true);
        expect(spool.bytes()).toBe(0);
        await spool.close();
      },
    ),
    { numRuns: 60 },
  );
});

describe('after a crash', () => {
  test('a tail cut at any byte loses the record that was being written, and no other', async () => {
    const whole = await open();
    await whole.write(['a', 'b', 'c'].map(record));
    await whole.close();
    const path = join(dir, segments()[0]!);
    const size = readFileSync(path).length;
    const frame = encodeFrame(record('a')).length;
    for (let cut = 0; cut <= size; cut += 1) {
      const folder = join(dir, `cut-${cut}`);
      mkdirSync(folder);
      copyFileSync(path, join(folder, '0000000001.spool'));
      truncateSync(join(folder, '0000000001.spool'), cut);
      const spool = await open({ dir: folder });
      await spool.write([record('later')]);
      expect(await drain(spool)).toEqual([...['a', 'b', 'c'].slice(0, Math.floor(cut / frame)), 'later']);
      expect(readdirSync(folder).filter((name) => name.endsWith('.corrupt'))).toEqual([]);
      await spool.close();
    }
  });

  test('zeros at the end, as file systems leave them, are no damage', async () => {
    writeFileSync(join(dir, '0000000001.spool'), Buffer.concat([encodeFrame(record('a')), Buffer.alloc(4096)]));
    const spool = await open();
    expect(await drain(spool)).toEqual(['a']);
    expect(readdirSync(dir).filter((name) => name.endsWith('.corrupt'))).toEqual([]);
    await spool.close();
  });

  test('a damaged segment is kept aside, its good records and the next segments are delivered', async () => {
    const frames = ['a', 'b', 'c'].map((name) => encodeFrame(record(name)));
    frames[1]![12]! ^= 0xff;
    writeFileSync(join(dir, '0000000003.spool'), Buffer.concat(frames));
    writeFileSync(join(dir, '0000000004.spool'), Buffer.from('this was never a spool segment, of whatever length'));
    writeFileSync(join(dir, '0000000005.spool'), encodeFrame(record('d')));
    const spool = await open();
    await spool.write([record('e')]);
    expect(await drain(spool)).toEqual(['a', 'c', 'd', 'e']);
    expect(
      readdirSync(dir)
        .filter((name) => name.endsWith('.corrupt'))
        .sort(),
    ).toEqual(['0000000003.spool.corrupt', '0000000004.spool.corrupt']);
    await spool.close();
  });

  test('a damaged length hides none of the records after it', async () => {
    const frames = ['a', 'b', 'c'].map((name) => encodeFrame(record(name)));
    frames[0]!.writeUInt32LE(1_000_000, 0);
    writeFileSync(join(dir, '0000000001.spool'), Buffer.concat(frames));
    const spool = await open();
    expect(await drain(spool)).toEqual(['b', 'c']);
    expect(readdirSync(dir)).toContain('0000000001.spool.corrupt');
    await spool.close();
  });

  test('any bytes at all as a segment stop no start', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const folder = mkdtempSync(join(dir, 'any-'));
        writeFileSync(join(folder, '0000000001.spool'), bytes);
        const spool = await open({ dir: folder });
        expect(await drain(spool)).toEqual([]);
        await spool.close();
      }),
      { numRuns: 100 },
    );
  });
});

test('takes what fits within its limit, in order, and says what did not', async () => {
  const frame = encodeFrame(record('a')).length;
  const spool = await open({ limitBytes: frame * 2 + 10 });
  expect(await spool.write(['a', 'b', 'c'].map(record))).toEqual([true, true, false]);
  expect(spool.hasRoom()).toBe(false);
  expect(await drain(spool)).toEqual(['a', 'b']);
  expect(await spool.write([record('d')])).toEqual([true]);
  await spool.close();
});

test('removes segments as they are drained', async () => {
  const spool = await open({ segmentBytes: 1 });
  for (const name of ['a', 'b', 'c']) await spool.write([record(name)]);
  expect(segments()).toHaveLength(3);
  await spool.peek(1);
  await spool.drop(1);
  expect(segments()).toHaveLength(2);
  await drain(spool);
  expect(segments()).toEqual([]);
  await spool.close();
});

test('a folder has one owner, and a killed owner’s socket is taken over', async () => {
  const spool = await open();
  await expect(open()).rejects.toMatchObject({ code: 'FOLDER_IN_USE' });
  await spool.close();
  writeFileSync(join(dir, 'lock'), '');
  const next = await open();
  await next.close();
});
