import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { addSilence, expireSilence } from '@tripline/incidents/silences';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { eventsOf } from '@tripline/testing/timeline/in-words';
import { toRecords } from '@tripline/testing/timeline/play';
import { addToTrail, makeTrailDays } from '@tripline/trail/trail';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordFindings, someFinding } from '../../../test/faults/recorded-findings.ts';
import { main } from '../main.ts';

let folder: string;
let database: Awaited<ReturnType<typeof freshDatabase>>;
const story = `
  09:00         ada      tags c1 of acme/app as v1.2.3
  day 3  10:00  mallory  moves tag v1.2.3 of acme/app to c2
  day 3  11:00  ada      adds deploy key reader to acme/app (read-only; id 11)
  day 3  12:00  mallory  adds deploy key "my laptop" to acme/app (id 12)
`;
/** Ids of the events of the story, by line. */
let ids: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-cli-explain-'));
  const until = '2100-01-01T00:00:00Z';
  const exceptions = [
    { rules: ['deploy-key-write-added'], when: { repository: 'acme/app' }, owner: 'grace', reason: 'GitOps', until },
  ];
  writeFileSync(join(folder, 'tripline.yaml'), JSON.stringify({ exceptions, rules: { off: ['mass-workflow-push'] } }));
  database = await freshDatabase();
  const { pool } = database.db;
  const told = toRecords({ events: eventsOf(story) }).map((record) => ({ ...record, fault: null }));
  ids = told.map(({ headers }) => headers['ce_id']!);
  const again = { ...told[1]!, offset: told.length, appendedAtMs: told.at(-1)!.appendedAtMs + 1000 };
  const broken = {
    ...{
      ...told[0]!,
      offset: told.length + 1,
      appendedAtMs: again.appendedAtMs + 1000,
      fault: 'the value is no valid JSON',
    },
    ...{ headers: { ...told[0]!.headers, ce_id: 'broken' }, value: Buffer.from('{') },
  };
  const records = [...told, again, broken];
  await makeTrailDays(pool, records, new Set());
  const client = await pool.connect();
  await addToTrail(client, null, records);
  client.release();
});
afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

const explain = (...args: string[]) => run('explain', ...args);

async function run(...args: string[]) {
  const said = { out: '', err: '' };
  const into = (stream: 'out' | 'err') => (text: string) => {
    said[stream] += text;
  };
  const io = { out: into('out'), err: into('err'), stdin: Readable.from(['']), cwd: folder, isTerminal: false };
  const env = { DATABASE_URL: database.urlAs('cli') };
  const status = await main([...args, '--from', '2026-01-01'], { ...io, env });
  return { status, ...said };
}

test('what was found, what became of it, and what the rule looked at, also of what happened before', async () => {
  const { status, out } = await explain('release-tag-moved', ids[1]!);
  expect(status).toBe(0);
  expect(out).toContain(
    'release-tag-moved found something: it found “mallory moved tag v1.2.3 of acme/app to another commit”',
  );
  expect(out).toMatch(/\n {2}[0-9a-f]{12} {2}high {2}mallory moved tag .*\n {4}told \(not recorded\)\n/);
  expect(out).toContain('  Its delivery came again at ');
  expect(out).toMatch(/\n {2}It (?:concluded of .*|judged the event itself), and looked at\n {4}\S+ .*\{/);
  const { verdict, steps } = JSON.parse((await explain('release-tag-moved', ids[1]!, '--json')).out);
  expect(verdict).toMatchObject({ kind: 'found', findings: [{ heldBy: null, severity: 'high' }] });
  expect(steps.length).toBeGreaterThan(0);
  // Nothing of it is recorded.
  expect((await database.db.pool.query('SELECT count(*)::int FROM findings')).rows).toEqual([{ count: 0 }]);
});

test('whoever excepted it is named', async () => {
  const { out } = await explain('deploy-key-write-added', ids[3]!);
  expect(out).toContain('excepted: by grace, until 2100-01-01T00:00:00Z: GitOps');
});

test('a silence that somebody added counts, and what was recorded counts more than what settings say today', async () => {
  const db = database.as('cli');
  const by = { via: 'cli', id: 'ada', name: 'ada', proof: 'os-user' } as const;
  const asked = { rule: 'release-tag-moved', until: { ms: 3_600_000 }, owner: 'ada', reason: 'moving' };
  const said = async () => (await explain('release-tag-moved', ids[1]!)).out;
  const { id } = await addSilence(db, asked, by);
  expect(await said()).toMatch(new RegExp(`\\n {4}silenced: ${id} until .*: moving \\(not recorded\\)\\n`));
  expect((await run('replay', '--rule', 'release-tag-moved')).out).toMatch(/high +silenced +release-tag-moved/);

  await expireSilence(db, id, by);
  expect(await said()).toContain('told (not recorded)');

  // It was told before somebody silenced it.
  const { verdict } = JSON.parse((await explain('release-tag-moved', ids[1]!, '--json')).out);
  const recorded = { ...someFinding('acme/app@v1.2.3', { person: 'mallory' }), id: verdict.findings[0].id };
  await recordFindings(database.db, [{ ...recorded, severity: 'high', rule: 'release-tag-moved' }]);
  await addSilence(db, asked, by);
  expect(await said()).toMatch(/\n {4}told \(INC-\d+\)\n {4}by today’s settings: silenced: SIL-/);
  await database.db.pool.query('TRUNCATE findings, incidents CASCADE');
});

test('a rule that looked and found nothing, one that does not read it, one that is filtered, and one that is off', async () => {
  const verdictOf = async (...args: string[]) => {
    const { status, out } = await explain(...args, '--json');
    expect(status).toBe(1);
    return JSON.parse(out).verdict;
  };
  expect(await verdictOf('release-tag-moved', ids[0]!)).toMatchObject({ kind: 'not-found' });
  expect(await verdictOf('token-bulk-clone', ids[0]!)).toEqual({
    kind: 'not-read',
    why: 'it does not read ref.pushed, but repository.read',
  });
  expect(await verdictOf('deploy-key-write-added', ids[2]!)).toMatchObject({
    kind: expect.stringMatching(/^(?:filtered|not-found)$/),
  });
  expect(await verdictOf('audit-audit-log-streaming-destroy', ids[3]!)).toMatchObject({
    kind: expect.stringMatching(/^(?:filtered|not-read)$/),
  });
  expect(await verdictOf('mass-workflow-push', ids[1]!)).toEqual({
    kind: 'off',
    why: expect.stringContaining('rules.off'),
  });
});

test('an event that nobody knows, one that cannot be read, and a rule that does not exist', async () => {
  const none = await explain('release-tag-moved', '72d3162e-cc78-11e3-81ab-4c9367dc0958');
  expect(none).toMatchObject({
    status: 1,
    out: expect.stringContaining('no event github:72d3162e-cc78-11e3-81ab-4c9367dc0958 is in the audit trail'),
  });
  expect((await explain('release-tag-moved', 'broken')).out).toContain(
    '(faulty): no reader can process its record: the value is no valid JSON',
  );
  expect(await explain('no-rule', ids[0]!)).toMatchObject({
    status: 2,
    err: expect.stringContaining('there is no rule no-rule'),
  });
});
