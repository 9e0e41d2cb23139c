import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
/** Finds every branch that somebody makes; throws at one of them. */
const ruleText = (id: string) => `
  const settings = { safeParse: () => ({ success: true, data: {} }), parse: (given) => given };
  export const rule = { id: '${id}', title: 't', description: 'd', severity: 'low', confidence: 'low', principles: [1],
    attack: [], owasp: [], feeds: { needs: ['github'] }, falseAlarms: [], reads: ['dev.cdevents.branch.created'], settings, learns: false,
    judge(event, context) {
      const branch = event.data['vcs.ref.head.name'];
      if (branch === 'cursed') throw new Error('not this one');
      context.find({ subject: 'acme/app@' + branch, title: 'branch ' + branch, summary: 's', confidence: 'low', evidence: [],
        entities: [{ kind: 'user', id: event.data['user.name'] }], response: [], remedy: [] });
    } };\n`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-cli-rules-'));
  mkdirSync(join(folder, 'rules'));
  writeFileSync(join(folder, 'rules/own.mjs'), ruleText('own-branches'));
  writeFileSync(join(folder, 'next.mjs'), ruleText('next-branches'));
  writeFileSync(join(folder, 'wrong.mjs'), `export const rule = { id: 'Wrong' };\n`);
  const until = '2100-01-01T00:00:00Z';
  const exceptions = [{ rules: ['own-branches'], when: { user: 'ada:41' }, owner: 'o', reason: 'r', until }];
  writeFileSync(join(folder, 'tripline.yaml'), JSON.stringify({ rules: { files: ['rules'] }, exceptions }));
  database = await freshDatabase();
  const nowMs = Date.now();
  const made = (ago: number, name: string, user: string) =>
    at(nowMs - ago * 3_600_000, 'dev.cdevents.branch.created', {
      ...{
        'vcs.repository.name': 'acme/app',
        'vcs.ref.head.name': name,
        'vcs.ref.head.type': 'branch',
        'user.name': user,
      },
    });
  const records = toRecords({
    events: [made(240, 'old', 'ada'), made(30, 'one', 'ada'), made(20, 'two', 'mallory')],
  }).map((record) => ({ ...record, fault: null }));
  const { pool } = database.db;
  await makeTrailDays(pool, records, new Set());
  const client = await pool.connect();
  await addToTrail(client, null, records);
  client.release();
});
afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

const rules = (...args: string[]) => run({ DATABASE_URL: database.urlAs('cli') }, ...args);

async function run(env: Record<string, string>, ...args: string[]) {
  const said = { out: '', err: '' };
  const into = (stream: 'out' | 'err') => (text: string) => {
    said[stream] += text;
  };
  const io = { out: into('out'), err: into('err'), stdin: Readable.from(['']), cwd: folder, isTerminal: false };
  const status = await main(['rules', ...args], { ...io, env });
  return { status, ...said };
}

test('validate says that a file is in order beside those that are in force, or what is wrong with it', async () => {
  const whole = await rules('validate');
  expect(whole).toMatchObject({
    status: 0,
    out: expect.stringMatching(/^\d+ rules are in order\nVersion of the set: [0-9a-f]{16}\n$/),
  });
  expect((await rules('validate', 'rules')).out).toMatch(/^1 rule is in order: own-branches\n/);
  const next = await rules('validate', 'next.mjs');
  expect(next.out).toMatch(/^1 rule is in order: next-branches\n/);
  expect(next.out.split('\n')[1]).not.toBe(whole.out.split('\n')[1]);
  const wrong = await rules('validate', 'wrong.mjs');
  expect(wrong).toMatchObject({ status: 1, err: expect.stringContaining('wrong.mjs.id: must be kebab-case') });
  expect(await rules('validate', 'none.mjs')).toMatchObject({ status: 1, err: expect.stringContaining('ENOENT') });
});

test('--json says of each rule and each row of a table what it is, what it needs and whether it pages, one a line', async () => {
  const { status, out } = await rules('--json');
  expect(status).toBe(0);
  const all = out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const fields = ['id', 'title', 'severity', 'kind', 'feeds', 'better', 'pages', 'principle', 'attack', 'owasp'];
  for (const one of all) expect(Object.keys(one)).toEqual(expect.arrayContaining(fields));
  const of = (id: string) => all.find((one) => one.id === id);
  expect(of('token-bulk-clone')).toMatchObject({
    ...{ kind: 'rule', file: null, severity: 'critical', pages: true },
    ...{ feeds: ['github-audit'], better: {}, principle: [2], attack: ['T1213.003'] },
  });
  expect(of('credential-new-runner').better['github-audit']).toMatch(/^names secrets/);
  expect(of('privilege-grant-outside-job')).toMatchObject({ severity: 'high', pages: false });
  expect(of('audit-org-disable-saml')).toMatchObject({ kind: 'row', pages: true, owasp: ['CICD-SEC-2'] });
  expect(of('own-branches')).toMatchObject({ kind: 'rule', file: 'rules/own.mjs', pages: false });
});

test('Sigma rules are listed with their id and file, and what of them is refused is named', async () => {
  mkdirSync(join(folder, 'sigma'));
  const sigma = (title: string, detection: string) =>
    `title: ${title}\nid: 5a5a2b5e-0000-4000-8000-000000000001\nlogsource:\n  product: github\n  service: audit\ndetection:\n${detection}`;
  writeFileSync(
    join(folder, 'sigma/a.yml'),
    sigma('Member added', '  s:\n    action: org.add_member\n  condition: s\n'),
  );
  writeFileSync(join(folder, 'sigma/b.yml'), sigma('Many', '  s:\n    a: b\n  condition: s | count() > 5\n'));
  writeFileSync(join(folder, 'sigma.yaml'), JSON.stringify({ rules: { sigma: ['sigma'] } }));
  const of = (...args: string[]) => run({ TRIPLINE_CONFIG: 'sigma.yaml' }, ...args);
  const { out, err } = await of('--json');
  const last = out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
    .find(({ kind }) => kind === 'sigma');
  expect(last).toMatchObject({
    ...{ id: 'sigma-5a5a2b5e-0000-4000-8000-000000000001', sigmaId: '5a5a2b5e-0000-4000-8000-000000000001' },
    ...{ file: 'sigma/a.yml', title: 'Member added', feeds: ['github-audit'], runs: true, pages: false },
  });
  expect(err).toMatch(/^Refused: Many of sigma\/b\.yml: the condition `s \| count\(\) > 5` counts events/);
  expect((await of()).out).toContain('Refused: Many of sigma/b.yml');
});

test('show says of one rule its settings, feeds that it has and lacks, learning, and what became of its findings', async () => {
  const { status, out } = await rules('show', 'credential-new-runner');
  expect(status).toBe(0);
  expect(out).toMatch(/^credential-new-runner {2}Credential used/);
  expect(out).toContain('By default it pages.');
  expect(out).toMatch(/Setting \w+: .* \(default\)/);
  expect(out).toContain('Feed github (webhooks): nothing received');
  expect(out).toContain('It finds nothing: nothing was received of a feed that it needs.');
  expect(out).toContain('Better with github-audit (the audit log), nothing received: names secrets');
  expect(out).toMatch(/Findings of the last 30 days: 0\n$/);
  const shown = JSON.parse((await rules('show', 'own-branches', '--json')).out);
  expect(shown).toMatchObject({
    ...{ id: 'own-branches', file: 'rules/own.mjs', runs: true, exceptions: 1, silences: 0 },
    state: { received: { github: null, 'github-audit': null }, learning: [], findings: { recorded: 0 } },
  });
  expect(await rules('show', 'nowhere')).toMatchObject({
    status: 2,
    err: expect.stringContaining('there is no rule nowhere'),
  });
  const alone = await run({ TRIPLINE_DATA: join(folder, 'nothing') }, 'show', 'token-bulk-clone');
  expect(alone).toMatchObject({
    status: 0,
    out: expect.stringContaining('findings are not known: there is no Tripline in'),
  });
});
