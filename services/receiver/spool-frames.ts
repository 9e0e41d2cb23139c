import { crc32 } from 'node:zlib';
import type { NewRecord } from '@tripline/stream/stream';

/**
 * A record in the spool: length of the payload (4 bytes), its CRC-32 (4 bytes), the payload. The payload is JSON of
 * the record with its value as text, since values are JSON themselves. Integers are little-endian.
 */
const headerBytes = 8;
/** Far above any event's size: a longer length is damage. */
const maxPayloadBytes = 64 * 1024 * 1024;

export function encodeFrame(record: NewRecord): Buffer {
  const payload = Buffer.from(
    JSON.stringify([record.topic, record.key, record.headers, record.value.toString('utf8')]),
  );
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt32LE(crc32(payload), 4);
  return Buffer.concat([header, payload]);
}

function decodePayload(payload: Buffer): NewRecord {
  const [topic, key, headers, value] = JSON.parse(payload.toString('utf8')) as [
    string,
    string,
    Record<string, string>,
    string,
  ];
  return { topic, key, headers, value: Buffer.from(value) };
}

export type Frames = {
  /** With the offset at which each one ends. */
  records: { record: NewRecord; end: number }[];
  /** Bytes from the start up to the end of the last good frame. */
  readBytes: number;
  /** Number of places with bytes that are neither a frame nor a cut-off end. */
  damaged: number;
};

/**
 * Reads the good frames in `bytes`. What is left at the end without being a whole frame was never acknowledged: a
 * write that a crash cut short, or zeros that the file system put there. Anything else that is no frame is damage: it
 * is counted, and reading goes on at the next frame whose checksum is right.
 */
export function decodeFrames(bytes: Buffer, limit = Number.POSITIVE_INFINITY): Frames {
  const frames: Frames = { records: [], readBytes: 0, damaged: 0 };
  let at = 0;
  while (frames.records.length < limit && at < bytes.length) {
    const end = endOfFrame(bytes, at);
    if (end !== undefined) {
      frames.records.push({ record: decodePayload(bytes.subarray(at + headerBytes, end)), end });
      frames.readBytes = end;
      at = end;
      continue;
    }
    const next = nextFrame(bytes, at + 1);
    if (next === undefined) {
      if (!isCutOff(bytes.subarray(at))) frames.damaged += 1;
      break;
    }
    frames.damaged += 1;
    at = next;
  }
  return frames;
}

/** Where the frame at `at` ends, or undefined when no good one begins there. */
function endOfFrame(bytes: Buffer, at: number): number | undefined {
  if (at + headerBytes > bytes.length) return undefined;
  const length = bytes.readUInt32LE(at);
  const end = at + headerBytes + length;
  if (length === 0 || length > maxPayloadBytes || end > bytes.length) return undefined;
  return crc32(bytes.subarray(at + headerBytes, end)) === bytes.readUInt32LE(at + 4) ? end : undefined;
}

/** Payloads are JSON, and four of its bytes read as a length are larger than any file: few places ask for a checksum. */
function nextFrame(bytes: Buffer, from: number): number | undefined {
  for (let at = from; at + headerBytes < bytes.length; at += 1) {
    if (endOfFrame(bytes, at) !== undefined) return at;
  }
  return undefined;
}

function isCutOff(tail: Buffer): boolean {
  if (tail.length < headerBytes) return true;
  const length = tail.readUInt32LE(0);
  if (length > 0 && length <= maxPayloadBytes && headerBytes + length > tail.length) return true;
  return tail.every((byte) => byte === 0);
}
