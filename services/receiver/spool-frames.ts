import { crc32 } from 'node:zlib';
import type { NewRecord } from '@tripline/stream/contract';

/**
 * A record in the spool: length of the payload (4 bytes), its CRC-32 (4 bytes), the payload. The payload is JSON of
 * the record with its value as text, since values are JSON themselves. Integers are little-endian.
 */
const headerBytes = 8;
/** No event comes near it: a longer length is damage. */
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
  /** Bytes from the start that hold whole frames, good or damaged. */
  readBytes: number;
  /** Frames whose checksum fails, or one for a length that cannot be. */
  damaged: number;
};

/**
 * Reads the whole frames in `bytes`. What is left at the end without being a whole frame was never acknowledged: a
 * write that a crash cut short, or zeros that the file system put there. A damaged frame in the middle is counted and
 * passed over; after a length that cannot be, nothing can be told any more.
 */
export function decodeFrames(bytes: Buffer, limit = Number.POSITIVE_INFINITY): Frames {
  const frames: Frames = { records: [], readBytes: 0, damaged: 0 };
  let at = 0;
  while (frames.records.length < limit && at + headerBytes <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    if (length === 0 || length > maxPayloadBytes) {
      if (bytes.subarray(at).some((byte) => byte !== 0)) frames.damaged += 1;
      break;
    }
    const end = at + headerBytes + length;
    if (end > bytes.length) break;
    const payload = bytes.subarray(at + headerBytes, end);
    if (crc32(payload) === bytes.readUInt32LE(at + 4)) {
      frames.records.push({ record: decodePayload(payload), end });
    } else {
      frames.damaged += 1;
    }
    at = end;
    frames.readBytes = at;
  }
  return frames;
}
