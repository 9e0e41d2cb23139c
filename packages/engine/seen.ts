const entryWords = 5;
const hourMs = 3_600_000;
/** How long an id is remembered, in hours. */
export const seenHours = 72;

/** Bytes of an entry: a hash of 128 bits, and the hour of the log's time (since the epoch, plus one) at which it came. */
export const seenEntryBytes = entryWords * 4;

export type Seen = ReturnType<typeof createSeen>;

/**
 * Ids and body hashes of the events of 72 hours, against duplicates: an open-addressed table of 20-byte entries in one
 * typed array, so that a million events cost some 80 MB and no work for the collector. What the batch in progress adds
 * lies in a table of its own until it is committed.
 */
export function createSeen() {
  const kept = createTable(1024);
  const batch = createTable(1024);
  const idHash = new Uint32Array(4);
  const bodyHash = new Uint32Array(4);

  return {
    /**
     * True when an event of this source and id, or of this body and type, came in the 72 hours before `nowMs`;
     * otherwise it is remembered. The type belongs to it because one delivery may give several events.
     */
    isDuplicate(event: { source: string; id: string; type: string; bodySha256?: string }, nowMs: number): boolean {
      const hour = Math.floor(nowMs / hourMs) + 1;
      hashText(`${event.source}\0${event.id}`, idHash);
      if (kept.has(idHash, hour - seenHours) || batch.has(idHash, hour - seenHours)) return true;
      if (event.bodySha256 !== undefined) {
        hashBody(event.bodySha256, event.type, bodyHash);
        if (kept.has(bodyHash, hour - seenHours) || batch.has(bodyHash, hour - seenHours)) return true;
        batch.add(bodyHash, hour);
      }
      batch.add(idHash, hour);
      return false;
    },
    /** What the batch added, as bytes to keep; null when nothing. */
    pack: (): Uint8Array | null => batch.pack(),
    /** Takes in what `pack` gave, once committed. */
    load(bytes: Uint8Array): void {
      kept.addAll(bytes);
    },
    commit(): void {
      const bytes = batch.pack();
      if (bytes !== null) kept.addAll(bytes);
      batch.clear();
    },
    rollback(): void {
      batch.clear();
    },
    entries: () => kept.size(),
  };
}

function createTable(slots: number) {
  let words = new Uint32Array(slots * entryWords);
  let capacity = slots;
  let used = 0;
  let newestHour = 0;

  /** Where the hash stands, or the free place where it would. */
  function place(hash: Uint32Array, from: number): number {
    let slot = hash[from]! & (capacity - 1);
    for (;;) {
      const at = slot * entryWords;
      if (words[at + 4] === 0) return at;
      if (
        words[at] === hash[from] &&
        words[at + 1] === hash[from + 1] &&
        words[at + 2] === hash[from + 2] &&
        words[at + 3] === hash[from + 3]
      ) {
        return at;
      }
      slot = (slot + 1) & (capacity - 1);
    }
  }
  function put(hash: Uint32Array, from: number, hour: number): void {
    const at = place(hash, from);
    if (words[at + 4] === 0) used += 1;
    words.set(hash.subarray(from, from + 4), at);
    words[at + 4] = Math.max(words[at + 4]!, hour);
  }
  /** Makes room, and lets go of what is older than the window. */
  function rebuild(): void {
    const before = words;
    let live = 0;
    for (let at = 4; at < before.length; at += entryWords) {
      if (before[at]! !== 0 && before[at]! >= newestHour - seenHours) live += 1;
    }
    capacity = slots;
    while (capacity < live * 4) capacity *= 2;
    words = new Uint32Array(capacity * entryWords);
    used = 0;
    for (let at = 0; at < before.length; at += entryWords) {
      const hour = before[at + 4]!;
      if (hour !== 0 && hour >= newestHour - seenHours) put(before, at, hour);
    }
  }
  function add(hash: Uint32Array, hour: number, from = 0): void {
    newestHour = Math.max(newestHour, hour);
    if ((used + 1) * 2 > capacity) rebuild();
    put(hash, from, hour);
  }

  return {
    has(hash: Uint32Array, oldestHour: number): boolean {
      const hour = words[place(hash, 0) + 4]!;
      return hour !== 0 && hour >= oldestHour;
    },
    add,
    addAll(bytes: Uint8Array): void {
      // Copied: a Buffer from the database lies somewhere in a larger one, and its own `slice` would share it whole.
      const entries = new Uint32Array(Uint8Array.from(bytes).buffer);
      for (let at = 0; at < entries.length; at += entryWords) add(entries, entries[at + 4]!, at);
    },
    pack(): Uint8Array | null {
      if (used === 0) return null;
      const packed = new Uint32Array(used * entryWords);
      let to = 0;
      for (let at = 0; at < words.length; at += entryWords) {
        if (words[at + 4] === 0) continue;
        packed.set(words.subarray(at, at + entryWords), to);
        to += entryWords;
      }
      return new Uint8Array(packed.buffer);
    },
    clear(): void {
      if (used > 0) words.fill(0);
      used = 0;
    },
    size: () => used,
  };
}

/**
 * Spreads a text over 128 bits. Not a cryptographic hash: ids are the provider's and lie under its signature, so nobody
 * can choose them to collide. Bodies can be chosen, and come as SHA-256.
 */
function hashText(text: string, into: Uint32Array): void {
  let [a, b, c, d] = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    a = turn(Math.imul(a ^ unit, 0x9e3779b1), 13) + b;
    b = turn(Math.imul(b ^ unit, 0x85ebca77), 15) + c;
    c = turn(Math.imul(c ^ unit, 0xc2b2ae3d), 17) + d;
    d = turn(Math.imul(d ^ unit, 0x27d4eb2f), 19) + a;
  }
  into[0] = spread(a ^ text.length);
  into[1] = spread(b ^ into[0]!);
  into[2] = spread(c ^ into[1]!);
  into[3] = spread(d ^ into[2]!);
}
const turn = (word: number, bits: number) => (word << bits) | (word >>> (32 - bits));
function spread(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

const typeWords = new Map<string, number>();
function hashBody(sha256: string, type: string, into: Uint32Array): void {
  let typeWord = typeWords.get(type);
  if (typeWord === undefined) {
    hashText(type, into);
    typeWord = into[0]!;
    typeWords.set(type, typeWord);
  }
  for (let word = 0; word < 4; word += 1) into[word] = Number.parseInt(sha256.slice(word * 8, word * 8 + 8), 16);
  into[3] = into[3]! ^ typeWord;
}
