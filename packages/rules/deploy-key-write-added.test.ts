import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './deploy-key-write-added.ts';

test('a key that may write is found, one that only reads is not', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada      adds deploy key reader to acme/app (read-only; id 11)
    09:01  mallory  adds deploy key "my laptop" to acme/app (id 12)          ← FOUND acme/app#deploy-key:12 [high/high]
    09:02  ada      gives bob admin on acme/app
    `,
  );
  expect(findings[0]!.title).toBe('mallory added a deploy key that may write to acme/app');
  expect(findings[0]!.entities).toContainEqual({ kind: 'user', id: 'mallory' });
  expect(findings[0]!.response).toMatchObject([
    { action: 'revoke-credential', instance: 'github.com', repository: 'acme/app', credentialId: '12' },
  ]);
});

test('each key is one finding, also of two with one title, and its removal takes nothing back', () => {
  expectTimeline(
    rule,
    `
    09:00  mallory  adds deploy key ci to acme/app (id 12)         ← FOUND acme/app#deploy-key:12
    09:01  mallory  adds deploy key ci to acme/app (id 13)         ← FOUND acme/app#deploy-key:13
    09:02  mallory  removes deploy key ci from acme/app (id 12)
    09:03  mallory  adds deploy key "" to acme/lib (id 14)         ← FOUND acme/lib#deploy-key:14
    `,
  );
});
