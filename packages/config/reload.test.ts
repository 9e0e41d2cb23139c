import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@tripline/runtime/logger';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from './config.ts';
import { applyReload, reloadable } from './reload.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-reload-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const load = (text: string) => {
  writeFileSync(join(folder, 'tripline.yaml'), text);
  return loadConfig({}, folder);
};
const tomorrow = new Date(Date.now() + 24 * 3_600_000).toISOString();
const silence = (subject: string) => `{ rule: some-rule, subject: "${subject}", until: "${tomorrow}", reason: known }`;

it('takes what can change while a process runs, in the very objects that services hold', () => {
  const running = load(`silences: [${silence('a')}, ${silence('b')}]\nremediation: { maxPerHour: 3 }`);
  const { silences, remediation } = running;
  const logger = createLogger({ service: 'test', level: running.logLevel }, { write: () => {} });
  const next = load(`logLevel: debug\nsilences: [${silence('c')}]\nremediation: { mode: automatic }`);
  const { applied, needRestart } = applyReload(running, next);
  expect(applied.sort()).toEqual(['logLevel', 'remediation.maxPerHour', 'remediation.mode', 'silences']);
  expect(needRestart).toEqual([]);
  expect(silences).toEqual(next.silences);
  expect(remediation).toEqual(next.remediation);
  expect(logger.level).toBe('debug');
  expect(applyReload(running, next)).toEqual({ applied: [], needRestart: [] });
});

it('links people at Slack anew, where Slack is configured', () => {
  const slack = (people: string) =>
    load(
      `slack: { botToken: canary-canary-canary, channel: C1, signingSecret: canary-canary-canary, teamId: T1, appId: A1, people: ${people} }`,
    );
  const running = slack('{ U1: ada, U2: bob }');
  const { people } = running.slack!;
  expect(applyReload(running, slack('{ U2: grace }'))).toEqual({
    applied: ['slack.people.U1', 'slack.people.U2'],
    needRestart: [],
  });
  expect(people).toEqual({ U2: 'grace' });
  expect(applyReload(running, load('')).needRestart).toEqual(['slack']);
});

it('names what needs a restart, and changes nothing of it', () => {
  const running = load('port: 9000\ngithub: { token: canary-canary-canary }');
  const next = load('port: 9001\ngithub: { token: other-other-other-canary }\nretentionDays: 30');
  const { applied, needRestart } = applyReload(running, next);
  expect(applied).toEqual([]);
  expect(needRestart.sort()).toEqual(['github.token', 'port', 'retentionDays']);
  expect(running.port).toBe(9000);
});

it('can change only what is a setting', () => {
  const names = reloadable.map((path) => path.split('.')[0]).filter((name) => name !== 'slack');
  expect(Object.keys(load(''))).toEqual(expect.arrayContaining(names));
});
