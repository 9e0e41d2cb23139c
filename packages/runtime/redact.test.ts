import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { credentialHash, redactText, redactValue } from './redact.ts';

// Put together here, so that no scanner takes this file for a leak.
const body = 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8';
const credentials = {
  'classic PAT': `ghp_${body}`,
  'fine-grained PAT': `github_pat_11ABCDEFG0_${body}`,
  'installation token': `ghs_123456_eyJhbGciOiJSUzI1NiJ9.${body}.${body}`,
  'GitLab PAT': `glpat-${body.slice(0, 20)}`,
  'Slack bot token': `xoxb-1234567890-${body}`,
  'AWS access key': `AKIA${'IOSFODNN7EXAMPLE'.slice(0, 16)}`,
  'npm token': `npm_${body}`,
  'Vault token': `hvs.${body}`,
  JWT: `eyJhbGciOiJIUzI1NiJ9.${body}.${body}`,
  'private key': `-----BEGIN RSA PRIVATE KEY-----\n${body}\n-----END RSA PRIVATE KEY-----`,
};

describe('redactText', () => {
  test.each(Object.entries(credentials))('names a %s by its hash and lets nothing of it through', (_kind, value) => {
    const redacted = redactText(`see "${value}" in CI`);
    expect(redacted).toContain('sha256:');
    expect(redacted).not.toContain(body.slice(0, 12));
    expect(redacted).toMatch(/^see "\[[a-z-]+ sha256:[A-Za-z0-9+/=]{44}\]/);
  });

  test('hashes as GitHub does, so that the name joins with the audit log', () => {
    expect(redactText(credentials['classic PAT'])).toBe(
      `[github-token sha256:${credentialHash(credentials['classic PAT'])}]`,
    );
  });

  test('takes the password out of a URL and leaves the rest', () => {
    expect(redactText('clone https://ci:hunter2@git.example.com/x.git')).toBe(
      'clone https://ci:[password]@git.example.com/x.git',
    );
  });

  test('takes it out of any text that has one, and out of no other', () => {
    const unit = fc.constantFrom('a', ':', '/', '@', ' ', '://', 'a:b@');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 14 }), (text) => {
        expect(redactText(text)).toBe(text.replace(/(:\/\/[^\s/:@]{1,256}:)([^\s/@]{1,1024})(@)/g, '$1[password]$3'));
      }),
      { numRuns: 1000 },
    );
  });

  test('leaves ordinary text as it is', () => {
    for (const text of [
      'feat: bump ghp docs',
      'refs/heads/main',
      'https://github.com/acme/app/pull/7',
      '3484a3fb816e0859fd6e1cea078d76385ff50625',
    ]) {
      expect(redactText(text)).toBe(text);
    }
  });

  test('is linear: a megabyte of near-misses takes no longer than its length asks', () => {
    for (const near of [
      'ghp_',
      'eyJ',
      '-----BEGIN ',
      '://a:',
      'AKIA',
      '-eyJ',
      'eyJaaaaaaaaaa.',
      '-----BEGIN A PRIVATE KEY----',
    ]) {
      const text = near.repeat(250_000);
      expect(redactText(text).length).toBeGreaterThan(0);
    }
  });
});

test('redactValue reaches every string, and shares what it leaves alone', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const planted = { title: [`x ${credentials['classic PAT']}`], rest: value };
      const redacted = redactValue(planted);
      expect(JSON.stringify(redacted)).not.toContain(body);
      expect(redactValue({ rest: 1, list: ['a'] })).toEqual({ rest: 1, list: ['a'] });
    }),
  );
  const untouched = { list: ['a', { b: 'c' }] };
  expect(redactValue(untouched)).toBe(untouched);
});
