import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { trustCircleCi } from './issuer.ts';
import { circleCiIssuerSettings } from './settings.ts';

const { claims, settings } = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/job.json'), 'utf8')) as {
  claims: Record<string, unknown> & { sub: string };
  settings: unknown;
};
const { read } = trustCircleCi(circleCiIssuerSettings.parse(settings));
const other = '0'.repeat(8) + '-0000-4000-8000-000000000000';

test('issuer, subject and claims name one organisation and one project', () => {
  const disagree = { refusal: { status: 401, reason: 'claims-disagree' } };
  const parts = claims.sub.split('/');
  for (const at of [1, 3]) {
    const sub = parts.with(at, other).join('/');
    expect(read({ ...claims, sub })).toMatchObject(disagree);
  }
  expect(read({ ...claims, 'oidc.circleci.com/org-id': other })).toMatchObject(disagree);
  expect(read({ ...claims, 'oidc.circleci.com/project-id': other })).toMatchObject(disagree);
});

test('a subject of another form proves nobody', () => {
  for (const sub of [`/${claims.sub}`, claims.sub.slice(1), 'org/a/project/b/user/c', `${claims.sub}x`])
    expect(read({ ...claims, sub })).toMatchObject({ refusal: { reason: 'claim-malformed' } });
});

test('a pipeline of a custom webhook has neither origin nor ref, and proves nobody', () => {
  const { 'oidc.circleci.com/vcs-ref': _, ...rest } = claims;
  expect(read(rest)).toMatchObject({ refusal: { reason: 'claim-missing' } });
});
