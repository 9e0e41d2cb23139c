import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { at, toRecords } from '@tripline/testing/timeline/play';
import { addToTrail, makeTrailDays } from '@tripline/trail/trail';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { main } from '../main.ts';

let folder: string;
let database: Awaited<ReturnType<typeof freshDatabase>>;
const hourMs = 3_600_000;
const nowMs = Date.now();

/** Finds every branch that somebody makes, and how many there were so far; throws at one of them. */
const ruleText = (id: string, severity = 'low', cursed = 'cursed') => `
  const settings = { safeParse: () => ({ success: true, data: {} }), parse: (given) => given };
  const state = { safeParse: (data) => ({ success: true, data }), parse: (given) => given };
  export const rule = { id: '${id}', title: 't', description: 'd', severity: '${severity}', confidence: 'low', principles: [1],
    attack: [], owasp: [], feeds: { needs: ['github'] }, falseAlarms: [], reads: ['dev.cdevents.branch.created'], settings, state, learns: false,
    keys: () => ['count'],
    judge(event, context) {
      const branch = event.data['vcs.ref.head.name'];
      if (branch === '${cursed}') throw new Error('not this one');
      const count = (context.get('count') ?? 0) + 1;
      context.set('count', count, 1e9);
      context.find({ subject: 'acme/app@' + branch, title: 'branch ' + branch + ', number ' + count, summary: 's', confidence: 'low', evidence: [],
        severity: '${severity}', entities: [{ kind: 'user', id: event.data['user.name'] }], response: [], remedy: [] });
    } };\n`;

const sigmaText = (title: string, action: string, service = 'service: audit') =>
  `title: Of ${title}\nlogsource: { product: github, ${service} }\ndetection:\n  one: { action: ${action} }\n  condition: one\nlevel: low\n`;
const audited = (agoHours: number, action: string) =>
  at(nowMs - agoHours * hourMs, 'dev.cdeventsx.tripline-audit.recorded', {
    ...{ 'tripline.audit.action': action, 'tripline.audit.record': { action, actor: 'ada' }, 'user.name': 'ada' },
  });

const made = (agoHours: number, name: string, user: string) =>
  at(nowMs - agoHours * hourMs, 'dev.cdevents.branch.created', {
    ...{
      'vcs.repository.name': 'acme/app',
      'vcs.ref.head.name': name,
      'vcs.ref.head.type': 'branch',
      'user.name': user,
    },
  });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-cli-replay-'));
  mkdirSync(join(folder, 'rules'));
  writeFileSync(join(folder, 'rules/own.mjs'), ruleText('own-branches'));
  writeFileSync(join(folder, 'next.mjs'), ruleText('next-branches'));
  writeFileSync(join(folder, 'throws.mjs'), ruleText('throwing', 'low', 'two'));
  const until = '2100-01-01T00:00:00Z';
  const exception = { rules: ['own-branches'], when: { user: 'ada[bot]' }, owner: 'o', reason: 'r', until };
  writeFileSync(
    join(folder, 'tripline.yaml'),
    JSON.stringify({ rules: { files: ['rules'] }, exceptions: [exception] }),
  );
  const more = { exceptions: [{ ...exception, when: { user: 'mallory[bot]' } }] };
  writeFileSync(join(folder, 'exceptions.yaml'), JSON.stringify(more));
  writeFileSync(join(folder, 'all.yaml'), JSON.stringify({ exceptions: [{ ...exception, when: { user: '*' } }] }));
  const overrides = [{ rule: 'own-branches', severity: 'high' }];
  writeFileSync(join(folder, 'severe.yaml'), JSON.stringify({ overrides }));
  mkdirSync(join(folder, 'sigma'));
  writeFileSync(join(folder, 'sigma/branches.yml'), sigmaText('branches', 'branch.create'));
  writeFileSync(join(folder, 'sigma/elsewhere.yml'), sigmaText('elsewhere', 'x', 'service: signin'));
  database = await freshDatabase();
  const events = [made(240, 'old', 'ada[bot]'), made(30, 'one', 'ada[bot]'), made(20, 'two', 'mallory[bot]')];
  // Before the time of the other tests.
  events.unshift(audited(800, 'branch.create') as never);
  const records = [0, 1, 2].flatMap((partition) =>
    toRecords({ events: partition === 0 ? events : [made(10, `of ${partition}`, 'grace[bot]')] }).map((record) => {
      return { ...record, partition, fault: null };
    }),
  );
  const { pool } = database.db;
  await makeTrailDays(pool, records, new Set());
  const client = await pool.connect();
  for (const partition of [0, 1, 2])
    await addToTrail(
      client,
      null,
      records.filter((one) => one.partition === partition),
    );
  client.release();
});
afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

async function replay(...args: string[]) {
  const said = { out: '', err: '' };
  const into = (stream: 'out' | 'err') => (text: string) => {
    said[stream] += text;
  };
  const io = { out: into('out'), err: into('err'), stdin: Readable.from(['']), cwd: folder, isTerminal: false };
  const status = await main(['replay', ...args], { ...io, env: { DATABASE_URL: database.urlAs('cli') } });
  const lines = said.out.split('\n').filter(Boolean);
  return { status, ...said, lines };
}
const json = ({ lines }: { lines: string[] }) => lines.map((line) => JSON.parse(line));

test('judges what the trail kept, counts first, and says who would have been told; nothing is recorded or left behind', async () => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith('tripline-replay-'));
  const { status, out, err } = await replay('--from', '7d', '--rule', 'own-branches');
  expect(out).toMatch(/^4 events between \S+ \S+ and \S+ \S+, by 1 rule\n/);
  expect(out).toMatch(
    /low +excepted +own-branches +branch one, number 1\n.*low +told +own-branches +branch two, number 2\n/,
  );
  expect(out).toMatch(/4 findings, of which 3 told; 0 retracted\. Nothing was recorded, told or revoked\.\n$/);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  expect((await database.db.pool.query('SELECT count(*)::int FROM findings')).rows).toEqual([{ count: 0 }]);
  const after = readdirSync(tmpdir()).filter((name) => name.startsWith('tripline-replay-'));
  expect(after.filter((name) => !before.includes(name))).toEqual([]);
});

test('a file of rules judges alone, of the time that is asked for', async () => {
  const to = new Date(nowMs - 25 * hourMs).toISOString();
  const [counts, ...found] = json(await replay('--from', '30d', '--to', to, '--json', '--rules-file', 'next.mjs'));
  expect(counts).toMatchObject({ events: 2, partitions: 1, rules: 1 });
  expect(found.map(({ rule, title, heldBy }) => [rule, title, heldBy])).toEqual([
    ['next-branches', 'branch old, number 1', null],
    ['next-branches', 'branch one, number 2', null],
  ]);
});

test('Sigma rules, by their file or their folder, judge alone; what of them is refused is said', async () => {
  for (const given of ['sigma', 'sigma/branches.yml']) {
    const { status, err, lines } = await replay('--from', '40d', '--to', '31d', '--json', '--rules-file', given);
    const [counts, ...found] = json({ lines });
    expect(status).toBe(0);
    expect(counts).toMatchObject({ events: 1, rules: 1 });
    expect(found.map(({ title }) => title)).toEqual([expect.stringContaining('Of branches')]);
    expect(err).toMatch(given === 'sigma' ? /^Refused: Of elsewhere of sigma\/elsewhere\.yml: .*signin/ : /^$/);
  }
  const none = await replay('--rules-file', 'sigma/elsewhere.yml');
  expect([none.status, none.err]).toEqual([1, expect.stringContaining('no rule of these files can be run')]);
});

test('a rule that throws is named with why, and judges the rest', async () => {
  const { status, err, out } = await replay('--rules-file', 'throws.mjs');
  expect({ status, err }).toEqual({ status: 1, err: expect.stringMatching(/^rule throwing threw: .*not this one\n$/) });
  expect(out).toMatch(/3 findings, of which 3 told/);
});

test('compares with what is in force: what a rule adds, whom an exception keeps from hearing, what an override makes graver', async () => {
  const added = await replay('--compare', '--rules-file', 'next.mjs', '--rule', 'next-branches');
  expect(added.lines.slice(1, -1).map((line) => line[0])).toEqual(['+', '+', '+', '+']);
  const excepted = await replay('--compare', '--exceptions-file', 'exceptions.yaml');
  expect(excepted.lines.slice(1, -1)).toEqual([
    expect.stringMatching(/^~ .* low +told → excepted +own-branches +branch two/),
  ]);
  expect(excepted.out).toMatch(/: 0 more, 0 fewer, 1 otherwise\. Nothing was recorded/);
  const [, ...severe] = json(await replay('--compare', '--json', '--exceptions-file', 'severe.yaml'));
  expect(severe).toHaveLength(4);
  for (const one of severe) expect(one).toMatchObject({ change: '~', severity: 'high' });
});

test('says what is wrong with what it is asked, and judges nothing', async () => {
  const errors = async (...args: string[]) => {
    const { status, err, out } = await replay(...args);
    expect(out).toBe('');
    return [status, err.split('\n')[0]!];
  };
  expect(await errors('--compare')).toEqual([
    2,
    expect.stringContaining('--compare needs --rules-file or --exceptions-file'),
  ]);
  expect(await errors('--rule', 'none')).toEqual([2, expect.stringContaining('there is no rule none')]);
  expect(await errors('--from', '1h', '--to', '2h')).toEqual([
    2,
    expect.stringContaining('--from must be before --to'),
  ]);
  expect(await errors('--exceptions-file', 'all.yaml')).toEqual([
    1,
    expect.stringContaining('it would except everything'),
  ]);
  expect(await errors('--exceptions-file', 'gone.yaml')).toEqual([
    1,
    expect.stringContaining('gone.yaml cannot be read: ENOENT'),
  ]);
  expect(await errors('--rules-file', 'gone.mjs')).toEqual([1, expect.stringContaining('gone.mjs')]);
  expect(await errors('--rules-file', 'gone.yml')).toEqual([1, expect.stringContaining('gone.yml')]);
});
