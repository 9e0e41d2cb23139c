const entryWords = 5;
const hourMs = 3_600_000;
/** How long an id is remembered, in hours. */
export const dedupHours = 72;

/** Bytes of an entry: a hash of 128 bits, and the hour of the log's time (since the epoch, plus one) at which it came. */
export const dedupEntryBytes = entryWords * 4;

/**
 * Whether an event arrived before. `duplicate`: under this id, so it is the same delivery once more. `repeated`: this
 * body, under other ids only; it cannot be seen whether the provider made the delivery or somebody replayed it.
 */
export type Arrival = 'new' | 'duplicate' | 'repeated';

export type Dedup = ReturnType<typeof createDedup>;

/**
 * The dedup table: ids and body hashes of 72 hours' events, open-addressed, 20-byte entries in one typed array, so that
 * a million events cost some 80 MB and no work for the garbage collector. Additions of the batch in progress are kept
 * separately, so that they can be undone.
 */
export function createDedup() {
  const table = createTable(1024);
  const hash = new Uint32Array(8);
  let added = new Uint32Array(256 * entryWords);
  /** The hour that each of them had before, or 0. */
  let before = new Uint32Array(256);
  let count = 0;

  /** `at`: where the table has it, or is to have it. */
  function add(at: number, from: number, hour: number): void {
    if (count === before.length) {
      added = grown(added);
      before = grown(before);
    }
    before[count] = table.putAt(at, hash, from, hour);
    const to = count * entryWords;
    for (let word = 0; word < 4; word += 1) added[to + word] = hash[from + word]!;
    added[to + 4] = hour;
    count += 1;
  }

  return {
    /**
     * Says whether an event of this source and id, or of this body and type, came in the 72 hours before `nowMs`, and
     * remembers both. The id alone is what a delivery is known by; the type belongs to the body because one delivery may
     * give several events.
     * @throws {Error} when `bodySha256` is none.
     */
    classify(event: { source: string; id: string; type: string; bodySha256?: string }, nowMs: number): Arrival {
      const hour = Math.floor(nowMs / hourMs) + 1;
      const oldestHour = hour - dedupHours;
      hashId(event.source, event.id, hash);
      if (event.bodySha256 !== undefined) hashBody(event.bodySha256, event.type, hash);
      // Each is looked for once: the table is larger than what a processor keeps at hand.
      table.makeRoom(2, hour);
      const idAt = table.place(hash, idWord);
      if (table.isSince(idAt, oldestHour)) return 'duplicate';
      let arrival: Arrival = 'new';
      if (event.bodySha256 !== undefined) {
        const bodyAt = table.place(hash, bodyWord);
        if (table.isSince(bodyAt, oldestHour)) arrival = 'repeated';
        add(bodyAt, bodyWord, hour);
        if (bodyAt === idAt) {
          add(table.place(hash, idWord), idWord, hour);
          return arrival;
        }
      }
      add(idAt, idWord, hour);
      return arrival;
    },
    /** What the batch added, as bytes to keep; null when nothing. */
    pack: (): Uint8Array | null => (count === 0 ? null : new Uint8Array(added.slice(0, count * entryWords).buffer)),
    /** Adds what `pack` returned, once committed. */
    load(bytes: Uint8Array): void {
      // Copied: a Buffer from the database lies somewhere in a larger one, and its own `slice` would share it whole.
      const entries = new Uint32Array(Uint8Array.from(bytes).buffer);
      for (let at = 0; at < entries.length; at += entryWords) table.put(entries, at, entries[at + 4]!);
    },
    commit(): void {
      count = 0;
    },
    rollback(): void {
      // Marked with an old hour rather than freed: other entries may follow it in the probe sequence.
      for (let nth = 0; nth < count; nth += 1) table.setHour(added, nth * entryWords, Math.max(1, before[nth]!));
      count = 0;
    },
    entries: () => table.size(),
  };
}

/** Where in the words that are hashed into the id's hash stands, and the body's. */
const idWord = 0;
const bodyWord = 4;

function grown(words: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(words.length * 2);
  larger.set(words);
  return larger;
}

function createTable(slots: number) {
  let words = new Uint32Array(slots * entryWords);
  let capacity = slots;
  let used = 0;
  let newestHour = 0;

  /** Where the hash at `from` stands, or the free place where it would. */
  function place(hash: Uint32Array, from: number): number {
    const a = hash[from]!;
    const b = hash[from + 1]!;
    for (let slot = a & (capacity - 1); ; slot = (slot + 1) & (capacity - 1)) {
      const at = slot * entryWords;
      if (words[at + 4] === 0) return at;
      if (words[at] !== a || words[at + 1] !== b) continue;
      if (words[at + 2] === hash[from + 2] && words[at + 3] === hash[from + 3]) return at;
    }
  }
  function write(at: number, hash: Uint32Array, from: number, hour: number): void {
    for (let word = 0; word < 4; word += 1) words[at + word] = hash[from + word]!;
    words[at + 4] = hour;
  }
  /** Stores the hash at `from` at its place, and returns its former hour, or 0. */
  function putAt(at: number, hash: Uint32Array, from: number, hour: number): number {
    const before = words[at + 4]!;
    if (before === 0) used += 1;
    write(at, hash, from, Math.max(before, hour));
    return before;
  }
  function makeRoom(more: number, hour: number): void {
    newestHour = Math.max(newestHour, hour);
    if ((used + more) * 2 > capacity) rebuild();
  }
  /** Rehashes into a larger table, and drops entries older than the window. */
  function rebuild(): void {
    const former = words;
    const isLive = (hour: number) => hour !== 0 && hour >= newestHour - dedupHours;
    let live = 0;
    for (let at = 4; at < former.length; at += entryWords) if (isLive(former[at]!)) live += 1;
    capacity = slots;
    while (capacity < live * 4) capacity *= 2;
    words = new Uint32Array(capacity * entryWords);
    used = live;
    for (let at = 0; at < former.length; at += entryWords) {
      const hour = former[at + 4]!;
      if (isLive(hour)) write(place(former, at), former, at, hour);
    }
  }

  return {
    place,
    /** Whether what stands at a place came since. */
    isSince(at: number, oldestHour: number): boolean {
      const hour = words[at + 4]!;
      return hour !== 0 && hour >= oldestHour;
    },
    /** Makes room for so many more; places that were asked for before are none afterwards. */
    makeRoom,
    putAt,
    /** Stores the hash at `from`. */
    put(hash: Uint32Array, from: number, hour: number): void {
      makeRoom(1, hour);
      putAt(place(hash, from), hash, from, hour);
    },
    setHour(hash: Uint32Array, from: number, hour: number): void {
      const at = place(hash, from);
      // It may have been dropped meanwhile.
      if (words[at + 4] !== 0) words[at + 4] = hour;
    },
    size: () => used,
  };
}

/**
 * Spreads a text over 128 bits. Not a cryptographic hash: ids are the provider's and lie under its signature, so nobody
 * can choose them to collide. Bodies can be chosen, and come as SHA-256. Kept in Postgres, so it must never change.
 */
function hashText(text: string, into: Uint32Array): void {
  mixIn(text, start);
  finish(text.length, into, 0);
}

/** The hash of `source`, NUL and `id`; a source says the same beginning again and again. */
function hashId(source: string, id: string, into: Uint32Array): void {
  let begun = begunSources.get(source);
  if (begun === undefined) {
    mixIn(`${source}\0`, start);
    begun = mix.slice();
    if (begunSources.size >= mostBegunSources) begunSources.clear();
    begunSources.set(source, begun);
  }
  mixIn(id, begun);
  finish(source.length + 1 + id.length, into, idWord);
}
const mostBegunSources = 10_000;
const begunSources = new Map<string, Int32Array>();
const start = Int32Array.of(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344);
const mix = new Int32Array(4);

/** Leaves in `mix` what `text` makes of `from`. */
function mixIn(text: string, from: Int32Array): void {
  let a = from[0]!;
  let b = from[1]!;
  let c = from[2]!;
  let d = from[3]!;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    a = (turn(Math.imul(a ^ unit, 0x9e3779b1), 13) + b) | 0;
    b = (turn(Math.imul(b ^ unit, 0x85ebca77), 15) + c) | 0;
    c = (turn(Math.imul(c ^ unit, 0xc2b2ae3d), 17) + d) | 0;
    d = (turn(Math.imul(d ^ unit, 0x27d4eb2f), 19) + a) | 0;
  }
  mix[0] = a;
  mix[1] = b;
  mix[2] = c;
  mix[3] = d;
}
function finish(length: number, into: Uint32Array, to: number): void {
  into[to] = spread(mix[0]! ^ length);
  into[to + 1] = spread(mix[1]! ^ into[to]!);
  into[to + 2] = spread(mix[2]! ^ into[to + 1]!);
  into[to + 3] = spread(mix[3]! ^ into[to + 2]!);
}
const turn = (word: number, bits: number) => (word << bits) | (word >>> (32 - bits));
function spread(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

const typeWords = new Map<string, number>();
/** Half of the body's SHA-256, and the type over the last word of it. */
function hashBody(sha256: string, type: string, into: Uint32Array): void {
  let typeWord = typeWords.get(type);
  if (typeWord === undefined) {
    const words = new Uint32Array(4);
    hashText(type, words);
    typeWord = words[0]!;
    typeWords.set(type, typeWord);
  }
  if (sha256.length !== 64) throw new Error('header ce_bodysha256 is no SHA-256');
  let word = 0;
  let wrong = 0;
  for (let at = 0; at < 64; at += 1) {
    const digit = hexDigits[sha256.charCodeAt(at) & 0x7f]! | (sha256.charCodeAt(at) & 0xff80);
    wrong |= digit;
    word = (word << 4) | digit;
    if ((at & 7) === 7 && at < 32) into[bodyWord + (at >> 3)] = word;
  }
  if (wrong > 15) throw new Error('header ce_bodysha256 is no SHA-256');
  into[bodyWord + 3] = into[bodyWord + 3]! ^ typeWord;
}
/**
 * Value of each hexadecimal digit by character code; 16 for any other character, so that one check covers all of them.
 */
const hexDigits = Uint8Array.from({ length: 128 }, (_, unit) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(unit));
  return digit < 0 ? 16 : digit;
});
