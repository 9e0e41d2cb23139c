import { createHash, createPublicKey, type JsonWebKey, randomBytes, randomUUID, verify } from 'node:crypto';
import { createServer } from 'node:http';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';

/**
 * What a grant is held against: a server that makes the least calls of which one can be, in their order, and decides nothing. It verifies a
 * token by the one key that there is, spends it and reads what is known of its run, writes a grant down, has a token minted, records it,
 * tells the log, and answers; each by one statement over a table with a key. The broker waits for one more: what is open before it mints.
 */
const { DATABASE_URL, KAFKA_BROKERS, GITHUB_URL, JWKS_URI } = process.env as Record<string, string>;
const topic = 'bare-broker';
const pool = new pg.Pool({ connectionString: DATABASE_URL, min: 4 });
await pool.query(`
  CREATE TABLE bare_spent (token text PRIMARY KEY);
  CREATE TABLE bare_grants (id uuid PRIMARY KEY, job jsonb NOT NULL);
  CREATE TABLE bare_credentials (grant_id uuid PRIMARY KEY, hash text, sealed bytea)`);
const kafka = new Kafka({ brokers: KAFKA_BROKERS!.split(','), logLevel: logLevel.NOTHING });
const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 1 }] });
await admin.disconnect();
const producer = kafka.producer({ allowAutoTopicCreation: false });
await producer.connect();
const { keys } = (await (await fetch(JWKS_URI!)).json()) as { keys: JsonWebKey[] };
const key = createPublicKey({ key: keys[0]!, format: 'jwk' });

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** The claims of a genuine token. */
function claimsOf(token: string): Record<string, string> {
  const [head, body, signature] = token.split('.') as [string, string, string];
  if (!verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url')))
    throw new Error('forged');
  return JSON.parse(Buffer.from(body, 'base64url').toString());
}

async function grant(token: string): Promise<object> {
  const claims = claimsOf(token);
  const run = `github:github.com:${claims['repository_id']}#${claims['run_id']}`;
  const { rows } = await pool.query({
    name: 'spend',
    text: `WITH spent AS (INSERT INTO bare_spent VALUES ($1) ON CONFLICT DO NOTHING RETURNING 1)
      SELECT EXISTS (SELECT FROM spent) AS first, (SELECT jobs FROM known_runs WHERE workspace = 'acme' AND run = $2) AS jobs`,
    values: [sha256(token), run],
  });
  if (!rows[0].first || rows[0].jobs === null) throw new Error('spent, or not told of');
  const id = randomUUID();
  await pool.query({
    name: 'intend',
    text: `WITH written AS (INSERT INTO bare_grants VALUES ($1, $2) RETURNING id)
      INSERT INTO bare_credentials SELECT id FROM written`,
    values: [id, JSON.stringify(claims)],
  });
  const answer = await fetch(`${GITHUB_URL}/app/installations/1/access_tokens`, {
    method: 'POST',
    headers: { authorization: 'bearer of nobody', 'content-type': 'application/json' },
    body: JSON.stringify({ repository_ids: [74], permissions: { contents: 'read' } }),
  });
  const minted = (await answer.json()) as { token: string };
  const hash = sha256(minted.token);
  await pool.query({
    name: 'record',
    text: 'UPDATE bare_credentials SET hash = $2, sealed = $3 WHERE grant_id = $1',
    values: [id, hash, randomBytes(100)],
  });
  const told = ['decided', 'minted'].map((what) => ({
    key: run,
    value: JSON.stringify({ what, id, hash, ...claims }),
  }));
  await producer.send({ topic, acks: -1, messages: told });
  return { grant: id, github: { token: minted.token } };
}

const server = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    JSON.parse(body);
    grant(request.headers.authorization!.slice('Bearer '.length)).then(
      (granted) => response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(granted)),
      (error: Error) => response.writeHead(500).end(JSON.stringify({ error: { reason: error.message } })),
    );
  });
});
server.listen(0, '127.0.0.1', () =>
  console.log(`listening on http://127.0.0.1:${(server.address() as { port: number }).port}`),
);
