import pg from 'pg';

/** One row's fields, read one after the other as they were selected. What a field holds must be known: it bears no type. */
export type Fields = {
  /** Of a `bigint`, or of a `timestamptz`: µs since 2000. */
  bigint: () => number;
  /** Of text, json, or a bytea that holds UTF-8. */
  text: () => string | null;
  /** Of a `bytea`. It lies in memory that it shares with other rows. */
  bytes: () => Buffer | null;
};

/** Rows as they were received; each is read when it is taken, so that no more of them than are used take up the heap. */
export type CopiedRows<Row> = {
  count: number;
  /** The next ones, at most so many; none at the end. */
  take: (most: number) => Row[];
  /** The last one, whether it was taken or not. */
  last: () => Row;
};

type Slab = { bytes: Buffer; used: number };
type Place = { slab: number; at: number };

/** `PGCOPY` and what spoils where it is transferred as text; after it four bytes of flags, and the length of what is added. */
const signatureBytes = 11;
const slabBytes = 2 ** 20;

/**
 * The rows of a `SELECT` by `COPY … TO STDOUT (FORMAT binary)`: bytes come as they are, where an ordinary query has them written
 * as hexadecimal text and read again, at twice the cost here and in Postgres. `select` takes no parameters: quote its literals
 * (`pg.escapeLiteral`), and have it end with a limit, since all rows are held at once.
 * https://www.postgresql.org/docs/current/sql-copy.html
 */
export async function copyOut<Row>(
  pool: pg.Pool,
  select: string,
  rowOf: (fields: Fields) => Row,
): Promise<CopiedRows<Row>> {
  const slabs: Slab[] = [];
  /** Of each row's message, and at last of that which says that there are no more. */
  const places: Place[] = [];
  const client = await pool.connect();
  let failed: Error | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const text = `COPY (${select}) TO STDOUT (FORMAT binary)`;
      const query = new pg.Query(text, (error) => (error ? reject(error) : resolve()));
      // Postgres sends one message a row, and pg hands it to the query, which by itself drops it.
      const handleCopyData = ({ chunk }: { chunk: Buffer }) => places.push(keep(slabs, chunk));
      client.query(Object.assign(query, { handleCopyData }));
    });
  } catch (error) {
    failed = error as Error;
    throw error;
  } finally {
    client.release(failed);
  }
  const reader = createReader(slabs);
  const read = (nth: number): Row => {
    reader.goTo(places[nth]!, nth === 0);
    return rowOf(reader.fields);
  };
  const count = places.length - 1;
  let taken = 0;
  return {
    count,
    take: (most) => Array.from({ length: Math.min(most, count - taken) }, () => read(taken++)),
    last: () => read(count - 1),
  };
}

/** Copied, since pg receives into the same memory again and again. A message lies in one slab. */
function keep(slabs: Slab[], chunk: Buffer): Place {
  let slab = slabs.at(-1);
  if (slab === undefined || slab.used + chunk.length > slab.bytes.length) {
    slab = { bytes: Buffer.allocUnsafeSlow(Math.max(slabBytes, chunk.length)), used: 0 };
    slabs.push(slab);
  }
  const place = { slab: slabs.length - 1, at: slab.used };
  slab.used += chunk.copy(slab.bytes, slab.used);
  return place;
}

function createReader(slabs: readonly Slab[]) {
  let bytes: Buffer = Buffer.alloc(0);
  let at = 0;

  /** Where the field at hand ends; -1 where it is null. */
  function begin(): number {
    const length = bytes.readInt32BE(at);
    at += 4;
    return length < 0 ? -1 : at + length;
  }
  const fields: Fields = {
    bigint() {
      const end = begin();
      const value = bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
      at = end;
      return value;
    },
    text() {
      const end = begin();
      if (end < 0) return null;
      const value = bytes.toString('utf8', at, end);
      at = end;
      return value;
    },
    bytes() {
      const end = begin();
      if (end < 0) return null;
      const value = bytes.subarray(at, end);
      at = end;
      return value;
    },
  };
  return {
    fields,
    /** `isFirst`: the head of all rows stands before it. */
    goTo(place: Place, isFirst: boolean): void {
      ({ bytes } = slabs[place.slab]!);
      ({ at } = place);
      if (isFirst) at += signatureBytes + 8 + bytes.readInt32BE(at + signatureBytes + 4);
      // How many fields it has.
      at += 2;
    },
  };
}
