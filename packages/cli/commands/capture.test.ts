import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { rule as outsideJob } from '@tripline/rules/privilege-grant-outside-job';
import { rule as tagMoved } from '@tripline/rules/release-tag-moved';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { expectCaptured } from '@tripline/testing/timeline/captured';
import { eventsOf } from '@tripline/testing/timeline/in-words';
import { toRecords } from '@tripline/testing/timeline/play';
import { addToTrail, makeTrailDays } from '@tripline/trail/trail';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { main } from '../main.ts';

let folder: string;
let database: Awaited<ReturnType<typeof freshDatabase>>;
const told = eventsOf(`
  09:00  lovelace  pushes c1,c2 to acme/app main
  09:01  lovelace  tags c1 of acme/app as v1.0.1
  09:02  mallory  moves tag v1.0.1 of acme/app to c2
  09:10  lovelace  gives babbage admin on acme/app
`);
const shiftMs = Date.now() - 3 * 3_600_000 - told[0]!.atMs;
const names = /lovelace|babbage|mallory|acme/i;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-cli-capture-'));
  const granting = { grantingWorkflows: ['acme/access/.github/workflows/grant.yml'], grantingActors: ['broker[bot]'] };
  const settings = { 'privilege-grant-outside-job': granting, 'grant-outlived-job': granting };
  writeFileSync(
    join(folder, 'tripline.yaml'),
    JSON.stringify({ learningDays: 0, rules: { settings, files: ['rules'] } }),
  );
  mkdirSync(join(folder, 'rules'));
  writeFileSync(join(folder, 'rules/own.mjs'), ownRule);
  database = await freshDatabase();
  const events = told.map((event) => ({
    ...event,
    atMs: event.atMs + shiftMs,
    time: new Date(Date.parse(event.time) + shiftMs).toISOString(),
  }));
  const records = toRecords({ events: events as never }).map((record) => ({ ...record, fault: null }));
  await makeTrailDays(database.db.pool, records, new Set());
  const client = await database.db.pool.connect();
  await addToTrail(client, null, records);
  client.release();
});
afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Names somebody itself, as only somebody's own rule does. */
const ownRule = `
  const settings = { safeParse: () => ({ success: true, data: {} }), parse: (given) => given };
  export const rule = { id: 'own-mallory', title: 't', description: 'd', severity: 'low', confidence: 'low', principles: [1],
    attack: [], owasp: [], feeds: { needs: ['github'] }, falseAlarms: [], reads: ['dev.cdeventsx.tripline-ref.pushed'], settings, learns: false,
    judge(event, context) {
      if (event.data['user.name'] === 'mallory') context.find({ subject: 'mallory', title: 't', summary: 's', confidence: 'low', evidence: [],
        severity: 'low', entities: [], response: [], remedy: [] });
    } };\n`;

async function tripline(...args: string[]) {
  const said = { out: '', err: '' };
  const into = (stream: 'out' | 'err') => (text: string) => {
    said[stream] += text;
  };
  const io = { out: into('out'), err: into('err'), stdin: Readable.from(['']), cwd: folder, isTerminal: false };
  const status = await main(args, { ...io, env: { DATABASE_URL: database.urlAs('cli') } });
  return { status, ...said };
}
const file = (name: string) => join(folder, name);

test('the newest events become a fixture without their names, which rules test and replay play', async () => {
  const made = await tripline(
    'capture',
    '10',
    '--out',
    'all.captured.jsonl',
    '--rule',
    'release-tag-moved',
    '--rule',
    'privilege-grant-outside-job',
  );
  expect(made).toMatchObject({ status: 0, out: '', err: '4 events, in which the rules in force find 2 findings.\n' });
  const text = readFileSync(file('all.captured.jsonl'), 'utf8');
  expect(text).not.toMatch(names);
  // The setting names the workflow by the words of the events.
  const owner = /"vcs\.repository\.name":"([a-z]+)\//.exec(text)![1];
  expect(text).toContain(`"grantingWorkflows":["${owner}/`);

  expect(await tripline('rules', 'test', 'all.captured.jsonl')).toEqual({
    status: 0,
    out: 'ok    all.captured.jsonl: 4 events, 2 findings as expected\n1 held, 0 failed\n',
    err: '',
  });
  const replayed = await tripline('replay', '--captured', 'all.captured.jsonl');
  expect(replayed.out).toMatch(/^4 events between .*, by 2 rules\n(?:.*\n){2}2 findings, of which 2 told; 0 retracted/);
  const { findings } = expectCaptured([tagMoved, outsideJob], file('all.captured.jsonl'));
  expect(findings).toHaveLength(2);
});

test('what a fixture expects and is not found fails by name, and may be accepted', async () => {
  await tripline('capture', '3', '--out', 'edited.captured.jsonl', '--rule', 'release-tag-moved');
  const text = readFileSync(file('edited.captured.jsonl'), 'utf8');
  writeFileSync(file('edited.captured.jsonl'), text.replace(/"subject":"[^"]+"/, '"subject":"other"'));
  expect(() => expectCaptured(tagMoved, file('edited.captured.jsonl'))).toThrow(/is not what it expects/);
  const failed = await tripline('rules', 'test', 'all.captured.jsonl', 'edited.captured.jsonl');
  expect(failed.status).toBe(1);
  expect(failed.out).toMatch(
    /^ok .*\nfail {2}edited\.captured\.jsonl: 3 events, 1 finding\n {4}not found: release-tag-moved other \[\w+\]\n {4}not expected: release-tag-moved \S+ \[\w+\]\n1 held, 1 failed\n$/,
  );
  expect((await tripline('rules', 'test', '--accept', 'edited.captured.jsonl')).status).toBe(0);
  expect((await tripline('rules', 'test', 'edited.captured.jsonl')).status).toBe(0);
});

test('a folder stands for the fixtures in it, and what is no test, or has none beside it, is refused', async () => {
  mkdirSync(file('tests'));
  await tripline('capture', '3', '--out', 'tests/one.captured.jsonl', '--rule', 'release-tag-moved');
  writeFileSync(file('tests/one.ts'), '');
  expect(await tripline('rules', 'test', 'tests')).toMatchObject({
    status: 0,
    out: expect.stringMatching(/^ok {4}tests\/one\.captured\.jsonl: 3 events, 1 finding as expected\n1 held/),
  });
  expect(await tripline('rules', 'test', 'tests/one.ts')).toMatchObject({
    status: 2,
    err: expect.stringContaining('tests/one.ts is no test, and beside it there is no one.test.ts'),
  });
  expect(await tripline('rules', 'test', 'rules')).toMatchObject({
    status: 2,
    err: expect.stringContaining('rules holds no tests'),
  });
  expect(await tripline('rules', 'test', 'gone.test.ts')).toMatchObject({
    status: 1,
    err: expect.stringContaining('is not there'),
  });
});

test('up to one event, of one kind, to standard output', async () => {
  const moved = await tripline('capture', '1', '--event', told[2]!.id);
  const lines = moved.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.filter((line) => 'event' in line).map((line) => line.event.type)).toEqual([
    'dev.cdeventsx.tripline-ref.pushed',
  ]);
  expect(moved.out).not.toMatch(names);
  const grants = await tripline('capture', '9', '--type', 'grant');
  expect(grants.out.match(/"event":/g)).toHaveLength(1);
});

test('a rule that names somebody itself finds nobody in it, and that is said', async () => {
  const made = await tripline('capture', '10', '--rule', 'own-mallory');
  expect(made.status).toBe(1);
  expect(made.err.replaceAll(/\s+/g, ' ')).toContain(
    'own-mallory: 1 found in the events as they were, 0 with names replaced',
  );
});

test('says what is wrong with what it is asked', async () => {
  const error = async (...args: string[]) => {
    const { status, err } = await tripline(...args);
    return [status, err.split('\n')[0]];
  };
  expect(await error('capture')).toEqual([2, expect.stringContaining('say how many events')]);
  expect(await error('capture', 'many')).toEqual([2, expect.stringContaining('must be a whole number')]);
  expect(await error('capture', '1', '--rule', 'none')).toEqual([2, expect.stringContaining('there is no rule none')]);
  expect(await error('capture', '1', '--event', 'github:none')).toEqual([
    1,
    expect.stringContaining('no event github:none'),
  ]);
  expect(await error('capture', '1', '--workspace', 'none')).toEqual([
    1,
    expect.stringContaining('nothing to capture'),
  ]);
  expect(await error('capture', '1', '--out', 'tripline.yaml')).toEqual([
    1,
    expect.stringContaining('is there already'),
  ]);
  writeFileSync(file('broken.jsonl'), '{"captured":1}\n');
  expect(await error('rules', 'test', 'broken.jsonl')).toEqual([
    1,
    expect.stringMatching(/broken\.jsonl is no fixture of `tripline capture`: line 1: untilMs: /),
  ]);
});
