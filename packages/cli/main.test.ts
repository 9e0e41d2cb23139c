import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { criteria } from '@tripline/contracts/check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from './main.ts';
import { commands } from './table.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function tripline(args: string[], env: Record<string, string> = {}, stdin = '', columns?: number) {
  let out = '';
  let err = '';
  const status = await main(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    stdin: Readable.from([stdin]),
    env,
    cwd: folder,
    isTerminal: false,
    columns,
  });
  return { status, out, err };
}

describe('help', () => {
  it('fits a terminal of 80 columns, but for the usage, which is copied', async () => {
    for (const args of [['help'], ['rules'], ...commands.map(({ name }) => ['help', name])]) {
      const { out } = await tripline(args, {}, '', 80);
      const prose = out.split('\n').filter((line) => !line.startsWith('  tripline '));
      expect(prose.filter((line) => line.length > 80)).toEqual([]);
    }
  });

  it('lists every command of the table, once, with its summary', async () => {
    const { status, out } = await tripline(['help']);
    expect(status).toBe(0);
    const listed = out.split('\n').flatMap((line) => /^ {2}(\S+) +(.+)$/.exec(line)?.slice(1, 3).join(': ') ?? []);
    expect(listed).toEqual(commands.map(({ name, summary }) => `${name}: ${summary}`));
    expect(new Set(commands.map(({ name }) => name)).size).toBe(commands.length);
    expect((await tripline(['--help'])).out).toBe(out);
    expect((await tripline([])).out).toBe(out);
  });

  it.each(commands.map((command) => [command.name, command] as const))(
    'of %s says how to call it',
    async (name, command) => {
      for (const args of [
        ['help', name],
        [name, '--help'],
      ]) {
        const { status, out } = await tripline(args);
        expect(status).toBe(0);
        expect(out).toContain(command.summary);
        for (const usage of command.usage) expect(out).toContain(`  tripline ${usage}\n`);
        for (const [option, { doc }] of Object.entries(command.options ?? {})) {
          expect(out).toMatch(new RegExp(`--${option}\\b.*`));
          expect(out).toContain(doc);
          expect(command.usage.join()).toContain(`--${option}`);
        }
      }
      for (const usage of command.usage) expect(usage.split(' ')[0]).toBe(name);
      expect(command.summary).toMatch(/^[A-Z].*[^.]$/);
    },
  );

  it('knows the verbs that the README promises', () => {
    const promised = [
      'up',
      'attack',
      'findings',
      'incidents',
      'rules',
      'doctor',
      'trail',
      'kill-switch',
      'break-glass',
    ];
    const services = ['receiver', 'recorder', 'detector', 'notifier', 'remediator', 'broker'];
    expect(commands.map(({ name }) => name)).toEqual(expect.arrayContaining([...promised, ...services]));
  });
});

describe('wrong usage', () => {
  it.each([
    [['no-such-command'], "'no-such-command' is no command"],
    [['help', 'no-such-command'], 'is no command'],
    [['findings', '--no-such-option'], "Unknown option '--no-such-option'"],
    [['findings', 'word'], "'word' is no verb; say list, show"],
    [['findings', '--limit', '0'], '--limit must be a whole number'],
    [['attack', 'no-such-scenario'], "'no-such-scenario' is no scenario; say "],
    [['attack', '--all', 'tj-actions'], '--all plays every scenario: name none'],
    [['attack', '--all', '--benign'], 'leave --benign out'],
    [['incidents', 'ack'], 'say which incident'],
    [['trail'], 'say which verb: verify'],
    [['inventory', 'imports'], "'imports' is no verb; say import, status"],
    [['kill-switch', 'maybe'], "'maybe' is no position; say on, off, status"],
    [['break-glass', '--reason', 'x'], '--workspace'],
    [['break-glass', '--workspace', 'acme', '--reason', 'x', '--for', '9d'], '--for must be'],
    [['revoke-token'], 'standard input'],
    [['revoke-token', 'ghp_canary'], 'one word too many'],
  ])('of %j ends with status 2 and a sentence', async (args, sentence) => {
    const { status, out, err } = await tripline(args);
    expect(err).toContain(sentence);
    expect(err).not.toMatch(/\n\s+at /);
    expect(out).toBe('');
    expect(status).toBe(2);
  });
});

describe('what the user can mend ends with status 1 and a sentence', () => {
  it.each([
    [['findings'], {}, 'there is no Tripline in'],
    [['incidents', 'list'], {}, 'npx tripline up'],
    [['attack', 'tj-actions'], {}, 'no drill key is known'],
    [['attack', '--all'], {}, 'no drill key is known'],
    [
      ['break-glass', '--workspace', 'acme', '--reason', 'production is down'],
      { TRIPLINE_GITHUB_WEBHOOK_SECRET: 'the secret of a webhook' },
      'no break-glass key is configured for "acme": give the workspace',
    ],
    [['findings'], { TRIPLINE_PORTT: '1' }, 'TRIPLINE_PORTT is no setting of Tripline; did you mean TRIPLINE_PORT?'],
    [['findings'], { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }, 'does not answer (ECONNREFUSED)'],
    [['migrate'], {}, 'set DATABASE_URL'],
    [['detector'], {}, 'DATABASE_URL'],
    [['detector'], { DATABASE_URL: 'postgres://127.0.0.1:1/none' }, 'set TRIPLINE_INTERNAL_KEY'],
    [['receiver'], { TRIPLINE_GITHUB_WEBHOOK_SECRET: 'canary-canary-canary' }, 'set DATABASE_URL or KAFKA_BROKERS'],
    [['recorder'], {}, 'DATABASE_URL'],
    [['notifier'], {}, 'DATABASE_URL'],
    [['remediator'], {}, 'DATABASE_URL'],
    [['broker'], {}, 'DATABASE_URL'],
    [['rules'], { TRIPLINE_CONFIG: 'wrong.yaml' }, 'there is no rule no-such-rule'],
  ] as [string[], Record<string, string>, string][])('%j with %j', async (args, env, sentence) => {
    writeFileSync(join(folder, 'wrong.yaml'), 'rules: { off: [no-such-rule] }\n');
    const { status, err } = await tripline(args, env);
    expect(err).toContain(sentence);
    expect(err).not.toMatch(/\n\s+at /);
    expect(status).toBe(1);
  });
});

describe('doctor', () => {
  const checks = async (env: Record<string, string>) => {
    const { status, out } = await tripline(['doctor', '--json'], env);
    return {
      status,
      checks: out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    };
  };

  it('tells each check as one object, and ends with 1 when one is broken', async () => {
    const fresh = await checks({ TRIPLINE_OPERATIONS_PORT: '1' });
    expect(fresh.checks.filter(({ state }) => state === 'broken')).toEqual([]);
    expect(fresh.status).toBe(0);
    for (const check of fresh.checks) {
      expect(Object.keys(check)).toEqual(['name', 'state', 'detail', 'remedy']);
      expect(Object.keys(criteria).some((name) => check.name === name || check.name.startsWith(`${name} `))).toBe(true);
    }
    expect(fresh.checks).toContainEqual(expect.objectContaining({ name: 'Postgres', state: 'off' }));
  });

  it.each([80, 60, 40])('fits a terminal of %i columns, and is whole where nobody reads it on one', async (columns) => {
    const env = { TRIPLINE_OPERATIONS_PORT: '1' };
    const { out } = await tripline(['doctor'], env, '', columns);
    expect(out.split('\n').filter((line) => [...line].length > columns)).toEqual([]);
    const words = (text: string) => text.split(/\s+/).join('');
    expect(words(out)).toBe(words((await tripline(['doctor'], env)).out));
  });

  it('calls settings that are wrong broken, each', async () => {
    const { status, checks: told } = await checks({ TRIPLINE_PORT: 'x', TRIPLINE_DRILLS: 'y' });
    expect(told).toMatchObject([
      { name: 'settings', state: 'broken', detail: 'TRIPLINE_PORT must be a number' },
      { name: 'settings', state: 'broken', detail: 'TRIPLINE_DRILLS must be true or false' },
    ]);
    expect(status).toBe(1);
  });

  it('names a file of rules that cannot be loaded, and what else is broken beside it', async () => {
    const dataDir = join(folder, 'open-to-others');
    mkdirSync(dataDir, { mode: 0o755 });
    writeFileSync(join(folder, 'own.yaml'), 'rules: { files: [none.ts] }\n');
    const env = { TRIPLINE_CONFIG: 'own.yaml', TRIPLINE_DATA: dataDir, TRIPLINE_OPERATIONS_PORT: '1' };
    const broken = (await checks(env)).checks.filter(({ state }) => state === 'broken');
    expect(broken).toMatchObject([
      {
        name: 'settings',
        detail: expect.stringContaining('none.ts'),
        remedy: expect.stringContaining('rules validate'),
      },
      { name: 'data folder' },
    ]);
  });

  it('calls an embedded database that does not start broken, not absent', async () => {
    const dataDir = join(folder, 'spoilt');
    mkdirSync(join(dataDir, 'postgres/cluster'), { recursive: true, mode: 0o700 });
    writeFileSync(join(dataDir, 'postgres/cluster/PG_VERSION'), '12\n');
    const { status, checks: told } = await checks({ TRIPLINE_DATA: dataDir, TRIPLINE_OPERATIONS_PORT: '1' });
    expect(told).toContainEqual(
      expect.objectContaining({ name: 'Postgres', state: 'broken', detail: expect.stringContaining('PostgreSQL 12') }),
    );
    expect(status).toBe(1);
  });
});

it('says its version', async () => {
  expect((await tripline(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
});

it('shows the rules and lists the scenarios with nothing running', async () => {
  const shown = (await tripline(['rules', '--json'])).out.trim().split('\n');
  expect(shown.map((line) => JSON.parse(line).id)).toContain('build-from-unreviewed-commit');
  const listed = (await tripline(['rules'])).out;
  expect(listed).toMatch(
    /^critical {2}pages {4}credential-new-runner {2}Credential used from a runner that is unknown$/m,
  );
  expect(listed).toMatch(/^low {7}off {6}run-of-fork {2}/m);
  expect(listed.split('\n').length).toBe(shown.length + 5 - 1);
  expect((await tripline(['rules', 'show', 'credential-new-runner'])).out).toContain('False alarm: ');
  expect((await tripline(['attack'])).out).toMatch(/^tj-actions +2024-11 +SpotBugs/m);
});
