import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { hashKey } from './key-hash.ts';
import { joinedKey, type StateKey, splitKey } from './keys.ts';
import type { StateRow } from './state.ts';

/**
 * Keyed state as bytes: entries one after the other, in flushes by no order, in blocks by hash. An entry is
 *
 *     hash (8 bytes) · expiresMs (6) · bytes of the key (2) · bytes of the JSON (4) · key · JSON
 *
 * little-endian, the key joined (keys.ts) and UTF-8, as is the JSON. One that says that its key is gone has no JSON and
 * `tombstoneBytes` as its length. What lies in Postgres is compressed: state repeats itself, and shrinks to a fifth or less.
 */
const headerBytes = 20;
const tombstoneBytes = 0xffffffff;
const latestMs = 2 ** 48 - 1;

/** What stands under a key. `json` null: it is gone. */
export type Stored = { json: string | null; expiresMs: number };

let scratch = Buffer.allocUnsafe(1 << 16);
const hash = new Uint32Array(2);

/** Entries of many keys, one after the other. */
export function packEntries(entries: readonly (StateKey & Stored)[]): Buffer {
  let at = 0;
  for (const entry of entries) {
    const { json, expiresMs } = entry;
    const joined = joinedKey(entry);
    // UTF-8 takes at most three bytes for a unit of UTF-16.
    const room = at + headerBytes + 3 * (joined.length + (json?.length ?? 0));
    if (room > scratch.length) scratch = Buffer.concat([scratch.subarray(0, at)], Math.max(room, scratch.length * 2));
    hashKey(joined, hash);
    const keyBytes = scratch.write(joined, at + headerBytes);
    const jsonBytes = json === null ? 0 : scratch.write(json, at + headerBytes + keyBytes);
    scratch.writeUInt32LE(hash[0]!, at);
    scratch.writeUInt32LE(hash[1]!, at + 4);
    scratch.writeUIntLE(Math.min(expiresMs, latestMs), at + 8, 6);
    scratch.writeUInt16LE(keyBytes, at + 14);
    scratch.writeUInt32LE(json === null ? tombstoneBytes : jsonBytes, at + 16);
    at += headerBytes + keyBytes + jsonBytes;
  }
  return Buffer.from(scratch.subarray(0, at));
}

export const highAt = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at);
export const lowAt = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at + 4);
export const expiresAt = (bytes: Buffer, at: number): number => bytes.readUIntLE(at + 8, 6);
const keyEnd = (bytes: Buffer, at: number): number => at + headerBytes + bytes.readUInt16LE(at + 14);
export const isTombstone = (bytes: Buffer, at: number): boolean => bytes.readUInt32LE(at + 16) === tombstoneBytes;

/** Where the next entry begins. */
export function entryEnd(bytes: Buffer, at: number): number {
  const jsonBytes = bytes.readUInt32LE(at + 16);
  return keyEnd(bytes, at) + (jsonBytes === tombstoneBytes ? 0 : jsonBytes);
}
export const keyAt = (bytes: Buffer, at: number): string => bytes.toString('utf8', at + headerBytes, keyEnd(bytes, at));
export function storedAt(bytes: Buffer, at: number): Stored {
  const json = isTombstone(bytes, at) ? null : bytes.toString('utf8', keyEnd(bytes, at), entryEnd(bytes, at));
  return { json, expiresMs: expiresAt(bytes, at) };
}
export const isSameKey = (one: Buffer, at: number, other: Buffer, otherAt: number): boolean =>
  one.compare(other, otherAt + headerBytes, keyEnd(other, otherAt), at + headerBytes, keyEnd(one, at)) === 0;

/** Writes into `to` that the key of the entry at `at` is gone; answers where that ends. */
export function copyTombstone(bytes: Buffer, at: number, to: Buffer, toAt: number): number {
  const end = keyEnd(bytes, at);
  bytes.copy(to, toAt, at, end);
  to.writeUIntLE(0, toAt + 8, 6);
  to.writeUInt32LE(tombstoneBytes, toAt + 16);
  return toAt + end - at;
}

/** What a block, in order of hash, holds under a key; undefined when nothing. */
export function findInBlock(block: Buffer, joined: string, high: number, low: number): Stored | undefined {
  for (let at = 0; at < block.length; at = entryEnd(block, at)) {
    const there = highAt(block, at);
    if (there > high) return undefined;
    if (there === high && lowAt(block, at) === low && keyAt(block, at) === joined) return storedAt(block, at);
  }
  return undefined;
}

const fast = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const lengthBytes = 4;

/** Compressed behind its length before that, which is all that a read must know to be fast. */
export function compress(entries: Buffer): Buffer {
  const length = Buffer.allocUnsafe(lengthBytes);
  length.writeUInt32LE(entries.length);
  return Buffer.concat([length, zstdCompressSync(entries, fast)]);
}
export function decompress(bytes: Uint8Array): Buffer {
  const { buffer, byteOffset, byteLength } = bytes;
  const length = new DataView(buffer, byteOffset, byteLength).getUint32(0, true);
  // Room for all of it and one more, so that it comes in one piece: else each takes rounds, and pieces to join.
  return zstdDecompressSync(bytes.subarray(lengthBytes), { chunkSize: Math.max(64, length + 1) });
}

/** Lays entries over each other, the older first, and answers what stands in the end. */
export function createMergedView() {
  const standing = new Map<string, Stored>();
  return {
    /** Entries as they lie in Postgres. */
    add(compressed: Uint8Array): void {
      const entries = decompress(compressed);
      for (let at = 0; at < entries.length; at = entryEnd(entries, at)) {
        standing.set(keyAt(entries, at), storedAt(entries, at));
      }
    },
    rows(nowMs: number): StateRow[] {
      return [...standing].flatMap(([of, { json, expiresMs }]) => {
        if (json === null || expiresMs <= nowMs) return [];
        const { workspace, rule, key } = splitKey(of);
        return [{ workspace, rule, key, value: JSON.parse(json), expiresMs }];
      });
    },
  };
}
