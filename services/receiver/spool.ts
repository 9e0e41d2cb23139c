import type { FileHandle } from 'node:fs/promises';
import { copyFile, open, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '@tripline/runtime/logger';
import { makeFolder } from '@tripline/runtime/make-folder';
import type { NewRecord } from '@tripline/stream/stream';
import { decodeFrames, encodeFrame } from './spool-frames.ts';
import { lockFolder } from './spool-lock.ts';

/**
 * The disk queue for when the log is unavailable: segments `<n>.spool` of framed records, written at the end of the
 * newest, drained from the start of the oldest, removed once drained. It holds normalised events, never a raw body.
 *
 * `write` resolves after fsync, so what it accepted survives kill -9 and a power cut. How far a segment was drained is
 * known only in memory: after a crash its records come again, and are duplicates by their ids.
 */
export type Spool = {
  /** Bytes on disk. */
  bytes: () => number;
  /** Records that wait, the ones being written among them. */
  empty: () => boolean;
  hasRoom: () => boolean;
  /** Appends in order; resolves with whether each was accepted. Refuses what exceeds the limit or the disk. One call at a time. */
  write: (records: readonly NewRecord[]) => Promise<boolean[]>;
  /** The oldest records, at most `limit`; empty when none wait. One call at a time, each followed by `drop`. */
  peek: (limit: number) => Promise<NewRecord[]>;
  /** Forgets the `count` oldest records: the log has them. */
  drop: (count: number) => Promise<void>;
  close: () => Promise<void>;
};

/** `size`: bytes that are synced. `offset`: bytes that are drained. `waiting`: records between them. */
type Segment = { path: string; size: number; offset: number; waiting: number };

export async function openSpool(options: {
  dir: string;
  limitBytes: number;
  logger: Logger;
  /** A segment is closed when it has grown to this. */
  segmentBytes?: number;
}): Promise<Spool> {
  const { dir, limitBytes, logger, segmentBytes = 8 * 1024 * 1024 } = options;
  makeFolder(dir, 0o700);
  const unlock = await lockFolder(dir);
  const { segments, lastNumber } = await recover(dir, logger).catch(async (error: unknown) => {
    await unlock();
    throw error;
  });
  let number = lastNumber;
  let newest: { segment: Segment; file: FileHandle } | undefined;
  let writing = 0;
  /** Where in the oldest segment each peeked record ends. */
  let peeked: number[] = [];

  const bytes = () => segments.reduce((sum, segment) => sum + segment.size, 0);

  async function openSegment(): Promise<{ segment: Segment; file: FileHandle }> {
    number += 1;
    const path = join(dir, `${String(number).padStart(10, '0')}.spool`);
    const file = await open(path, 'ax', 0o600);
    await syncFolder(dir);
    const segment = { path, size: 0, offset: 0, waiting: 0 };
    segments.push(segment);
    newest = { segment, file };
    return newest;
  }

  async function closeNewest(): Promise<void> {
    const file = newest?.file;
    newest = undefined;
    await file?.close();
  }

  async function write(records: readonly NewRecord[]): Promise<boolean[]> {
    let room = limitBytes - bytes();
    const frames: Buffer[] = [];
    const accepted = records.map((record) => {
      const frame = encodeFrame(record);
      if (frame.length > room) return false;
      room -= frame.length;
      frames.push(frame);
      return true;
    });
    if (frames.length === 0) return accepted;
    writing += 1;
    try {
      if (newest && newest.segment.size >= segmentBytes) await closeNewest();
      const { segment, file } = newest ?? (await openSegment());
      const whole = Buffer.concat(frames);
      let written = 0;
      while (written < whole.length) {
        written += (await file.write(whole, written, whole.length - written)).bytesWritten;
      }
      await file.datasync();
      segment.size += whole.length;
      segment.waiting += frames.length;
      return accepted;
    } catch (error) {
      // A full or failing disk. The part that reached the file is never read here, and nothing more is written to the
      // segment.
      const { code } = error as NodeJS.ErrnoException;
      logger.error(
        { code },
        `writing to the spool failed (${code}); while the log is away, deliveries are answered 503, and are not kept`,
      );
      await closeNewest().catch(() => {});
      return records.map(() => false);
    } finally {
      writing -= 1;
    }
  }

  async function removeDrained(): Promise<void> {
    const oldest = segments[0];
    if (!oldest || oldest.waiting > 0) return;
    if (newest?.segment === oldest) {
      if (writing > 0) return;
      await closeNewest();
    }
    segments.shift();
    await unlink(oldest.path);
  }

  async function peek(limit: number): Promise<NewRecord[]> {
    for (;;) {
      const oldest = segments[0];
      if (!oldest) return [];
      if (oldest.waiting === 0) {
        if (newest?.segment === oldest) return [];
        await removeDrained();
        continue;
      }
      const synced = await readRange(oldest.path, oldest.offset, oldest.size);
      const frames = decodeFrames(synced, limit);
      if (frames.records.length > 0) {
        peeked = frames.records.map((frame) => oldest.offset + frame.end);
        return frames.records.map((frame) => frame.record);
      }
      // The disk lost data that it had acknowledged: keep the file for a person to look at, and go on with the next.
      logger.error(
        { segment: oldest.path, records: oldest.waiting },
        'a spool segment is unreadable; renamed it to *.corrupt and went on with the next',
      );
      if (newest?.segment === oldest) await closeNewest();
      segments.shift();
      await rename(oldest.path, `${oldest.path}.corrupt`);
    }
  }

  async function drop(count: number): Promise<void> {
    const oldest = segments[0];
    if (!oldest || count < 1 || count > peeked.length) throw new Error('only what was peeked can be dropped');
    oldest.offset = peeked[count - 1]!;
    oldest.waiting -= count;
    peeked = [];
    await removeDrained();
  }

  return {
    bytes,
    empty: () => writing === 0 && segments.every((segment) => segment.waiting === 0),
    hasRoom: () => bytes() + 64 * 1024 <= limitBytes,
    write,
    peek,
    drop,
    async close() {
      await closeNewest();
      await unlock();
    },
  };
}

/**
 * Reads what a former process left. Damage never makes it fail: a damaged segment is copied to `*.corrupt`, its good
 * records stay.
 */
async function recover(dir: string, logger: Logger): Promise<{ segments: Segment[]; lastNumber: number }> {
  const names = (await readdir(dir)).filter((name) => /^\d{10}\.spool$/.test(name)).sort();
  const segments: Segment[] = [];
  for (const name of names) {
    const path = join(dir, name);
    const bytes = await readFile(path);
    const frames = decodeFrames(bytes);
    let size = frames.readBytes;
    if (frames.damaged > 0) {
      logger.error(
        { segment: path, damaged: frames.damaged, recovered: frames.records.length },
        `a spool segment is damaged; copied it to ${name}.corrupt and kept its intact records`,
      );
      await copyFile(path, `${path}.corrupt`);
    }
    if (frames.damaged > 0 || frames.readBytes < bytes.length) {
      const good = Buffer.concat(frames.records.map(({ record }) => encodeFrame(record)));
      size = good.length;
      await writeFile(`${path}.new`, good, { mode: 0o600, flush: true });
      await rename(`${path}.new`, path);
      await syncFolder(dir);
    }
    if (frames.records.length === 0) await unlink(path);
    else segments.push({ path, size, offset: 0, waiting: frames.records.length });
  }
  return { segments, lastNumber: Number.parseInt(names.at(-1) ?? '0', 10) };
}

/** At most 1 MiB from `offset`, or the whole first frame when that is longer. */
async function readRange(path: string, offset: number, end: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const want = async (length: number) => {
      const bytes = Buffer.alloc(Math.min(length, end - offset));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, offset);
      return bytes.subarray(0, bytesRead);
    };
    const bytes = await want(1024 * 1024);
    const first = bytes.length >= 4 ? bytes.readUInt32LE(0) + 8 : 0;
    return first > bytes.length ? await want(first) : bytes;
  } finally {
    await file.close();
  }
}

/** A new name is durable only when its folder is. */
async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
