import { at } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { memberKeysOf, writers } from './writers.ts';

test('a member whom an inventory names by id is that account, and nobody who takes the login over', () => {
  const inventory = at(0, 'dev.cdeventsx.tripline-inventory.observed', {
    ...{ 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1 },
    'tripline.inventory.members': [
      { login: 'Ada', role: 'member', id: '41' },
      { login: 'bob', role: 'member' },
    ],
  });
  const keys = writers.keys({ ...inventory, source: '//github.com/acme' } as never);
  const isMember = (login: string, id?: string) =>
    memberKeysOf('github:github.com:5', { login, ...(id === undefined ? {} : { id }) }).some((key) =>
      keys.includes(key),
    );
  expect(isMember('ada-new', '41')).toBe(true);
  expect(isMember('ada', '42')).toBe(false);
  // Of whom it names no id, the name is all that there is.
  expect(isMember('bob', '43')).toBe(true);
});
