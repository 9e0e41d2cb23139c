import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from './config.ts';
import { environment, settings } from './settings.ts';

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
    const config = loadConfig({ TRIPLINE_GITHUB_WEBHOOK_SECRET: 'new-one, old-one', KAFKA_BROKERS: 'a:1,b:2' }, folder);
    expect(config.github.webhookSecrets).toEqual(['new-one', 'old-one']);
    expect(config.kafka.brokers).toEqual(['a:1', 'b:2']);
  });

  it('take an empty variable for one that is not set', () => {
    expect(loadConfig({ TRIPLINE_PORT: '', DATABASE_URL: '' }, folder).port).toBe(8080);
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
    [{ TRIPLINE_SLACK_BOT_TOKEN: 'canary' }, 'TRIPLINE_SLACK_SIGNING_SECRET'],
    [{ TRIPLINE_GITHUB_APP_ID: '17' }, 'TRIPLINE_GITHUB_APP_PRIVATE_KEY'],
  ])('%o', (env, named) => {
    const message = refusal(env as unknown as Record<string, string>);
    expect(message).toContain(named);
    expect(message).not.toContain('canary');
  });

  it('when webhooks are to be seen to, and nothing may ask for their deliveries', () => {
    write('tripline.yaml', 'github: { hooks: [{ organization: acme, id: 42 }] }');
    expect(refusal({})).toMatch(/^github\.hooks.*github\.app or github\.hookToken/);
    expect(loadConfig({ TRIPLINE_GITHUB_HOOK_TOKEN: 'canary' }, folder).github.hooks).toHaveLength(1);
  });

  it('when a token for webhooks has none that it is for', () => {
    expect(refusal({ TRIPLINE_GITHUB_HOOK_TOKEN: 'canary' })).toMatch(
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
    write('hook', 'from-a-file\n');
    expect(loadConfig({ TRIPLINE_GITHUB_WEBHOOK_SECRET_FILE: 'hook' }, folder).github.webhookSecrets).toEqual([
      'from-a-file',
    ]);
  });

  it('are refused beside the variable itself, and when the file is not there', () => {
    write('hook', 'canary');
    const both = { TRIPLINE_GITHUB_WEBHOOK_SECRET_FILE: 'hook', TRIPLINE_GITHUB_WEBHOOK_SECRET: 'canary' };
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
