import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@tripline/runtime/load-settings';
import { feeds } from '@tripline/sources/registry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from './config.ts';
import { environment, settings, workspaceFieldsOf } from './settings.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

function refusal(env: Record<string, string>): string {
  try {
    loadConfig(env, folder);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error('the settings were accepted');
}

describe('settings', () => {
  it('are a Tripline that can be tried out when nothing is set', () => {
    const config = loadConfig({}, folder);
    expect(config).toMatchObject({ host: '127.0.0.1', port: 8080, remediation: { mode: 'dry-run' }, file: null });
    expect(config.dataDir).toBe(join(folder, '.tripline'));
    expect(config.baseDir).toBe(folder);
  });

  it('take a free operations port where the other is one, and its own number otherwise', () => {
    expect(settings.parse({}).operations).toEqual({ host: '127.0.0.1', port: 9464 });
    expect(settings.parse({ port: 0 }).operations.port).toBe(0);
    expect(settings.parse({ port: 0, operations: { port: 9000 } }).operations.port).toBe(9000);
  });

  it('come from tripline.yaml, and the environment overrides it', () => {
    write('tripline.yaml', 'port: 9000\nretentionDays: 30\n');
    const config = loadConfig({ TRIPLINE_PORT: '9100' }, folder);
    expect(config).toMatchObject({ port: 9100, retentionDays: 30, file: join(folder, 'tripline.yaml') });
  });

  it('come from the file that TRIPLINE_CONFIG names, whose folder rules are relative to', () => {
    const path = write('other.yaml', 'port: 9200\n');
    expect(loadConfig({ TRIPLINE_CONFIG: 'other.yaml' }, folder)).toMatchObject({ port: 9200, file: path });
    expect(refusal({ TRIPLINE_CONFIG: 'gone.yaml' })).toMatch(/TRIPLINE_CONFIG names .*gone\.yaml.*ENOENT/);
  });

  it('take several values where one is being rotated', () => {
    const secrets = ['new-one-of-sixteen', 'old-one-of-sixteen'];
    const config = loadConfig({ TRIPLINE_GITHUB_WEBHOOK_SECRET: secrets.join(', '), KAFKA_BROKERS: 'a:1,b:2' }, folder);
    expect(config.github.webhookSecrets).toEqual(secrets);
    expect(config.kafka.brokers).toEqual(['a:1', 'b:2']);
  });

  it.each([
    ['one with commas in it', 'k9,Zq7#PwRt5!mXc2vB8', ['k9,Zq7#PwRt5!mXc2vB8']],
    ['one that ends in a comma and a short rest', 'a-secret-of-sixteen,rest', ['a-secret-of-sixteen,rest']],
    [
      'two, each long enough',
      'a-secret-of-sixteen,b-secret-of-sixteen',
      ['a-secret-of-sixteen', 'b-secret-of-sixteen'],
    ],
    ['one a line', 'a,secret-of-sixteen\nb-secret-of-sixteen', ['a,secret-of-sixteen', 'b-secret-of-sixteen']],
  ])('part secrets only where nothing else can be meant: %s', (_, text, secrets) => {
    expect(loadConfig({ TRIPLINE_GITHUB_WEBHOOK_SECRET: text }, folder).github.webhookSecrets).toEqual(secrets);
  });

  it('name whom nothing automatic may touch by kind: a number is an id, a text a name', () => {
    write(
      'tripline.yaml',
      'remediation: { protected: { users: [ada, 11, "11", { login: bo, id: 12 }], runners: [r-1, 9], repositories: [acme/app] } }\n',
    );
    expect(loadConfig({}, folder).remediation.protected).toEqual({
      users: [
        { login: 'ada', id: undefined },
        { login: undefined, id: '11' },
        { login: '11', id: undefined },
        { login: 'bo', id: '12' },
      ],
      runners: [
        { name: 'r-1', id: undefined },
        { name: undefined, id: '9' },
      ],
      repositories: ['acme/app'],
    });
  });

  it('name responses by their intents; a former name stops the start, and the sentence says what it is called now', () => {
    const policy = (action: string) => `remediation: { policy: [{ rule: a, actions: [stop-run, ${action}] }] }\n`;
    write('tripline.yaml', policy('revoke-grant'));
    expect(loadConfig({}, folder).remediation.policy[0]!.actions).toEqual(['stop-run', 'revoke-grant']);
    write('tripline.yaml', policy('withdraw-grant'));
    expect(refusal({})).toContain('remediation.policy.0.actions.1: is called revoke-grant now');
    write('tripline.yaml', policy('explode'));
    expect(refusal({})).toContain('"isolate-runner"');
  });

  it('that go by another name now stop the start, and the sentence says by which', () => {
    write('tripline.yaml', 'remediation: { breakGlass: [ada] }\n');
    expect(refusal({})).toBe(
      'remediation.breakGlass is called remediation.protected now, by kind: protected: { users: [], repositories: [], runners: [] }',
    );
  });

  it('take an empty variable for one that is not set', () => {
    expect(loadConfig({ TRIPLINE_PORT: '', DATABASE_URL: '' }, folder).port).toBe(8080);
  });
});

describe('a file of settings', () => {
  it('that others may write is refused whole, with what to do', () => {
    const path = write('tripline.yaml', 'github: { apiUrl: "https://evil.example" }\nrules: { files: [evil.ts] }\n');
    chmodSync(path, 0o666);
    expect(refusal({})).toBe(
      `this folder has ${path}, which is not used: ${path} can be written by everybody: chmod go-w it`,
    );
    expect(refusal({ TRIPLINE_CONFIG: path })).toMatch(/^TRIPLINE_CONFIG names .*, which is not used/);
    chmodSync(path, 0o644);
    expect(loadConfig({}, folder).github.apiUrl).toBe('https://evil.example');
  });

  it('that leads nowhere is not taken for none', () => {
    symlinkSync('gone.yaml', join(folder, 'tripline.yaml'));
    expect(refusal({})).toMatch(/this folder has .*tripline\.yaml, which cannot be read: ENOENT/);
  });

  const isRoot = process.geteuid?.() === 0;

  it.runIf(isRoot)('of another user is refused, and the folder of one is not used unless it is named', () => {
    const path = write('tripline.yaml', 'port: 9000\n');
    chownSync(path, 54_321, 54_321);
    expect(refusal({})).toContain('belongs to another user (id 54321)');
    rmSync(path);
    mkdirSync(join(folder, '.tripline'));
    chownSync(join(folder, '.tripline'), 54_321, 54_321);
    expect(refusal({})).toContain('.tripline belongs to another user (id 54321) and is not used');
    expect(loadConfig({ TRIPLINE_DATA: '.tripline' }, folder).dataDir).toBe(join(folder, '.tripline'));
  });
});

describe('what Kubernetes says of its services', () => {
  const links = {
    TRIPLINE_PORT: 'tcp://10.96.0.7:8080',
    TRIPLINE_SERVICE_HOST: '10.96.0.7',
    TRIPLINE_SERVICE_PORT: '8080',
    TRIPLINE_SERVICE_PORT_HTTP: '8080',
    TRIPLINE_PORT_8080_TCP: 'tcp://10.96.0.7:8080',
    TRIPLINE_PORT_8080_TCP_PROTO: 'tcp',
    TRIPLINE_PORT_8080_TCP_PORT: '8080',
    TRIPLINE_PORT_8080_TCP_ADDR: '10.96.0.7',
    TRIPLINE_RECEIVER_SERVICE_HOST: '10.96.0.8',
    TRIPLINE_RECEIVER_PORT: 'tcp://10.96.0.8:8080',
    TRIPLINE_RECEIVER_PORT_53_UDP: 'udp://10.96.0.8:53',
    TRIPLINE_OPERATIONS_PORT: 'tcp://10.96.0.9:9464',
  };

  it('is ignored with one line', () => {
    const config = loadConfig(links, folder);
    expect(config.port).toBe(8080);
    expect(config.remarks).toEqual([
      expect.stringMatching(/^ignored TRIPLINE_OPERATIONS_PORT and 11 more, by which Kub/),
    ]);
    expect(loadConfig({}, folder).remarks).toEqual([]);
  });

  it('hides no slip and no setting', () => {
    expect(loadConfig({ ...links, TRIPLINE_PORT: '9001' }, folder).port).toBe(9001);
    expect(refusal({ TRIPLINE_SERVICE: 'x' })).toContain('TRIPLINE_SERVICE is no setting');
    expect(refusal({ TRIPLINE_PORT: 'http://10.0.0.1' })).toBe('TRIPLINE_PORT must be a number');
  });
});

describe('a wrong setting stops the start and is named', () => {
  it('when the environment has one that does not exist', () => {
    expect(refusal({ TRIPLINE_GITHUB_WEBHOOK_SECRETS: 'canary' })).toBe(
      'TRIPLINE_GITHUB_WEBHOOK_SECRETS is no setting of Tripline; did you mean TRIPLINE_GITHUB_WEBHOOK_SECRET?',
    );
  });

  it('when tripline.yaml has one that does not exist, at any depth', () => {
    write('tripline.yaml', 'prot: 1\nkafka:\n  broker: canary\n');
    const message = refusal({});
    expect(message).toContain('prot is no setting of Tripline');
    expect(message).toContain('kafka.broker is no setting of Tripline');
    expect(message).not.toContain('canary');
  });

  it.each([
    [{ TRIPLINE_PORT: 'eighty' }, 'TRIPLINE_PORT must be a number'],
    [{ TRIPLINE_PORT: '70000' }, 'port (TRIPLINE_PORT)'],
    [{ TRIPLINE_DRILLS: 'yes' }, 'TRIPLINE_DRILLS must be true or false'],
    [{ KAFKA_BROKERS: 'broker' }, 'KAFKA_BROKERS'],
    [{ DATABASE_URL: 'mysql://canary' }, 'DATABASE_URL'],
    [{ TRIPLINE_LOG_LEVEL: 'loud' }, 'TRIPLINE_LOG_LEVEL'],
    [{ TRIPLINE_GITHUB_API_URL: 'ftp://canary' }, 'TRIPLINE_GITHUB_API_URL'],
    [{ TRIPLINE_SLACK_BOT_TOKEN: 'canary-canary-canary' }, 'TRIPLINE_SLACK_SIGNING_SECRET'],
    [{ TRIPLINE_GITHUB_APP_ID: '17' }, 'TRIPLINE_GITHUB_APP_PRIVATE_KEY'],
  ])('%o', (env, named) => {
    const message = refusal(env as unknown as Record<string, string>);
    expect(message).toContain(named);
    expect(message).not.toContain('canary');
  });

  it('when webhooks are to be seen to, and nothing may ask for their deliveries', () => {
    write('tripline.yaml', 'github: { hooks: [{ organization: acme, id: 42 }] }');
    expect(refusal({})).toMatch(/^github\.hooks.*github\.app or github\.hookToken/);
    expect(loadConfig({ TRIPLINE_GITHUB_HOOK_TOKEN: 'canary-canary-canary' }, folder).github.hooks).toHaveLength(1);
  });

  it('when a token for webhooks has none that it is for', () => {
    expect(refusal({ TRIPLINE_GITHUB_HOOK_TOKEN: 'canary-canary-canary' })).toMatch(
      /^github\.hookToken \(TRIPLINE_GITHUB_HOOK_TOKEN\)/,
    );
  });

  it('together with every other wrong one', () => {
    expect(refusal({ TRIPLINE_PORT: 'x', TRIPLINE_DRILLS: 'y' }).split('\n')).toHaveLength(2);
  });

  it('when the YAML cannot be read, by line and without quoting it', () => {
    write('tripline.yaml', 'port: 1\ngithub: {token: "canary\n');
    const message = refusal({});
    expect(message).toMatch(/is no valid YAML at line \d+, column \d+$/);
    expect(message).not.toContain('canary');
  });

  it('when tripline.yaml is no mapping', () => {
    write('tripline.yaml', '- canary\n');
    expect(refusal({})).toBe('tripline.yaml must be a mapping of settings');
  });
});

describe('secrets in files', () => {
  it('are read from <NAME>_FILE, without the final newline', () => {
    write('hook', 'a secret from a file\n');
    expect(loadConfig({ TRIPLINE_GITHUB_WEBHOOK_SECRET_FILE: 'hook' }, folder).github.webhookSecrets).toEqual([
      'a secret from a file',
    ]);
  });

  it('stand one a line, commas and all', () => {
    write('hook', 'new-one,of-sixteen-characters\n\n  old-one-of-sixteen \r\n');
    expect(loadConfig({ TRIPLINE_GITHUB_WEBHOOK_SECRET_FILE: 'hook' }, folder).github.webhookSecrets).toEqual([
      'new-one,of-sixteen-characters',
      'old-one-of-sixteen',
    ]);
  });

  it('are refused where everybody may write them', () => {
    chmodSync(write('hook', 'canary-canary-canary'), 0o666);
    const message = refusal({ TRIPLINE_GITHUB_WEBHOOK_SECRET_FILE: 'hook' });
    expect(message).toMatch(/^TRIPLINE_GITHUB_WEBHOOK_SECRET_FILE names a file that everybody can write/);
    expect(message).not.toContain('canary');
  });

  it('are refused beside the variable itself, and when the file is not there', () => {
    write('hook', 'canary-canary-canary');
    const both = {
      TRIPLINE_GITHUB_WEBHOOK_SECRET_FILE: 'hook',
      TRIPLINE_GITHUB_WEBHOOK_SECRET: 'canary-canary-canary',
    };
    expect(refusal(both)).toBe(
      'TRIPLINE_GITHUB_WEBHOOK_SECRET and TRIPLINE_GITHUB_WEBHOOK_SECRET_FILE are both set; keep one',
    );
    expect(refusal({ DATABASE_URL_FILE: 'gone' })).toBe('DATABASE_URL_FILE names a file that cannot be read: ENOENT');
  });

  it('exist for secrets only', () => {
    expect(refusal({ TRIPLINE_PORT_FILE: 'x' })).toContain('TRIPLINE_PORT_FILE is no setting');
  });
});

it('every environment variable overrides a field that exists', () => {
  // A path into nothing would be reported as unknown by the strict schema.
  for (const { path, name } of environment) {
    const candidate: Record<string, unknown> = {};
    path.split('.').reduce<Record<string, unknown>>((inner, part, index, all) => {
      const next: Record<string, unknown> = {};
      inner[part] = index === all.length - 1 ? undefined : next;
      return next;
    }, candidate);
    const issues = settings.safeParse(candidate).error?.issues ?? [];
    expect(
      issues.filter((issue) => issue.code === 'unrecognized_keys'),
      name,
    ).toEqual([]);
  }
});

describe('secrets', () => {
  const acme = '{ organizations: [acme] }';

  it.each([
    ['github: { webhookSecrets: [canary-15-chars] }', 'github.webhookSecrets.0 (TRIPLINE_GITHUB_WEBHOOK_SECRET)'],
    ['github: { app: { id: 1, privateKey: canary } }', 'github.app.privateKey'],
    ['github: { token: canary }', 'github.token'],
    [`workspaces: [{ id: acme, github: { organizations: [acme], webhookSecrets: [canary] } }]`, 'workspaces.0.github'],
    [`workspaces: [{ id: acme, github: ${acme}, breakGlassKeys: [canary] }]`, 'workspaces.0.breakGlassKeys.0'],
    ['drillKey: canary', 'drillKey (TRIPLINE_DRILL_KEY)'],
    ['internalKeys: [canary]', 'internalKeys.0 (TRIPLINE_INTERNAL_KEY)'],
    ['slack: { botToken: canary-canary-canary, channel: C1, signingSecret: canary }', 'slack.signingSecret'],
  ])('of fewer than 16 characters stop the start: %s', (yaml, named) => {
    write('tripline.yaml', yaml);
    const message = refusal({});
    expect(message).toContain(named);
    expect(message).toContain('must have at least 16 characters');
    expect(message).not.toContain('canary');
  });

  it('of one feed are no other feed’s, and move within a feed', () => {
    const shared = 'canary: one value for two feeds';
    write('tripline.yaml', `drillKey: ${JSON.stringify(shared)}\n`);
    const message = refusal({ TRIPLINE_GITHUB_WEBHOOK_SECRET: shared });
    expect(message).toBe(
      'drillKey (TRIPLINE_DRILL_KEY): is also a secret of GitHub’s webhooks; each feed needs secrets of its own',
    );
    write(
      'tripline.yaml',
      `workspaces: [{ id: acme, github: { organizations: [acme], webhookSecrets: [${JSON.stringify(shared)}] } }]`,
    );
    expect(loadConfig({ TRIPLINE_GITHUB_WEBHOOK_SECRET: shared }, folder).workspaces).toHaveLength(1);
  });
});

describe('workspaces', () => {
  it('name organisations by login, or by login and id', () => {
    write('tripline.yaml', 'workspaces: [{ id: acme, github: { organizations: [acme, { login: labs, id: 88 }] } }]');
    expect(loadConfig({}, folder).workspaces[0]?.github.organizations).toEqual([
      { login: 'acme' },
      { login: 'labs', id: '88' },
    ]);
  });

  it.each([
    ['[{ id: a, github: { organizations: [acme] } }, { id: b, github: { organizations: [ACME] } }]', 'is named twice'],
    ['[{ id: a, github: { organizations: [{ login: x, id: 1 }, { login: y, id: 1 }] } }]', 'is named twice'],
    ['[{ id: a, github: { organizations: [x] } }, { id: a, github: { organizations: [y] } }]', 'another workspace'],
    ['[{ id: tripline-drill-a, github: { organizations: [x] } }]', 'tripline-drill-'],
    ['[{ id: a, github: { organizations: [tripline-drill-x] } }]', 'tripline-drill-'],
  ])('are refused where an organisation would be two’s, or a drill’s: %s', (yaml, said) => {
    write('tripline.yaml', `workspaces: ${yaml}`);
    expect(refusal({})).toContain(said);
  });
});

it('keeps the types of a workspace’s fields with a feed that adds none', () => {
  const plain = { name: 'plain', environment: [], load: () => Promise.reject(new Error('not loaded')) } as const;
  const fields = workspaceFieldsOf([...feeds, plain]);
  expect(fields.github.parse({ organizations: ['acme'] }).organizations).toEqual([{ login: 'acme' }]);
});

describe('a silence of tripline.yaml', () => {
  const said = (entry: string) => {
    writeFileSync(join(folder, 'tripline.yaml'), `silences: [{ ${entry}, reason: r }]`, { mode: 0o600 });
    try {
      return loadConfig({}, folder).silences[0];
    } catch (error) {
      return (error as Error).message;
    }
  };
  const inDays = (days: number) => `until: "${new Date(Date.now() + days * 24 * 3_600_000).toISOString()}"`;

  it('lasts 30 days at most', () => {
    expect(said(`rule: r, ${inDays(29.9)}`)).toMatchObject({ rule: 'r', critical: false });
    expect(said(`rule: r, ${inDays(30.1)}`)).toMatch(/^silences\.0\.until: a silence lasts 30 days at most/);
    expect(said('rule: r, until: "9999-01-01T00:00:00Z"')).toMatch(/30 days at most/);
    expect(said('rule: r, until: "2020-01-01T00:00:00Z"')).toMatchObject({ rule: 'r' });
  });

  it('takes every matcher, and one at least', () => {
    const all = 'rule: "b*", subject: s, actor: ada, repository: acme/app, runner: r, environment: e, critical: true';
    expect(said(`${all}, ${inDays(1)}`)).toMatchObject({ actor: 'ada', environment: 'e', critical: true });
    expect(said(`rule: "*", workspace: acme, ${inDays(1)}`)).toMatch(/would silence everything: name at least one of/);
  });
});
