import { sampleFinding } from '@tripline/testing/sample-report';
import { Client, type Connection, type Submittable } from 'pg';

/** Writes finding-sized rows in batches, a transaction each, one after the other; prints rows a second. */
const [way, rows, batchRows] = process.argv.slice(2) as ['unnest' | 'copy', string, string];
const { summary, evidence, entities, remedy, silence } = sampleFinding();
const details = JSON.stringify({ summary, evidence, entities, remedy, silence });
const columns = ['id', 'rule', 'workspace', 'subject', 'occasion', 'title', 'details'] as const;
const client = new Client({ connectionString: process.env['DATABASE_URL']! });
await client.connect();
await client.query('DROP TABLE IF EXISTS finding_sized');
await client.query(
  'CREATE TABLE finding_sized (id text PRIMARY KEY, rule text, workspace text, subject text, occasion text, title text, details jsonb)',
);

function batchAt(first: number): string[][] {
  return Array.from({ length: Math.min(Number(batchRows), Number(rows) - first) }, (_, place) => {
    const id = (first + place).toString(16).padStart(64, '0');
    return [
      id,
      'build-from-unreviewed-commit',
      `acme-${place % 200}`,
      `acme/app@${id}`,
      `${first + place}/1`,
      id,
      details,
    ];
  });
}

async function unnest(batch: string[][]): Promise<void> {
  await client.query({
    name: 'unnest',
    text: `INSERT INTO finding_sized (${columns}) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[])`,
    values: columns.map((_, column) => batch.map((row) => row[column])),
  });
}

type CopyConnection = Connection & {
  sendCopyFromChunk: (chunk: Buffer) => void;
  endCopyFrom: () => void;
};

/** COPY … FROM STDIN as a query that pg submits: it speaks the protocol's copy messages but has no verb for them. */
function copy(batch: string[][]): Promise<void> {
  const text = batch.map((row) => row.map((value) => value.replaceAll('\\', '\\\\')).join('\t')).join('\n');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let failure: Error | undefined;
  const query = {
    submit: (connection: Connection) => connection.query(`COPY finding_sized (${columns}) FROM STDIN`),
    handleCopyInResponse: (connection: CopyConnection) => {
      connection.sendCopyFromChunk(Buffer.from(`${text}\n`));
      connection.endCopyFrom();
    },
    handleError: (error: Error) => {
      failure = error;
    },
    handleCommandComplete: () => {},
    handleReadyForQuery: () => (failure ? reject(failure) : resolve()),
  };
  client.query(query as unknown as Submittable);
  return promise;
}

const batches = Array.from({ length: Math.ceil(Number(rows) / Number(batchRows)) }, (_, nth) =>
  batchAt(nth * Number(batchRows)),
);
const begun = performance.now();
for (const batch of batches) await (way === 'copy' ? copy(batch) : unnest(batch));
const seconds = (performance.now() - begun) / 1000;
const { rows: counted } = await client.query<{ count: number }>('SELECT count(*)::int AS count FROM finding_sized');
if (counted[0]!.count !== Number(rows)) throw new Error(`${counted[0]!.count} of ${rows} rows are there`);
await client.end();
console.log(JSON.stringify({ rate: Number(rows) / seconds }));
