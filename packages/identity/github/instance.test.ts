import { expect, test } from 'vitest';
import { instanceOfIssuer } from './instance.ts';

test.each([
  ['https://token.actions.githubusercontent.com', 'github.com'],
  ['https://token.actions.githubusercontent.com/acme', 'github.com'],
  ['https://token.actions.acme.ghe.com', 'acme.ghe.com'],
  ['https://git.acme.example/_services/token', 'git.acme.example'],
  ['https://token.actions.acme.ghe.com.evil.example', 'token.actions.acme.ghe.com.evil.example'],
])('%s signs for the jobs of %s', (iss, host) => {
  expect(instanceOfIssuer(iss)).toBe(host);
});
