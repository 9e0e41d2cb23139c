import { expect, test } from 'vitest';
import { describeDatabaseFault } from './database-fault.ts';

test('an error of another kind is none of the database’s, whatever its code is', () => {
  for (const code of [0, 25, null, {}])
    expect(describeDatabaseFault(Object.assign(new Error('x'), { code }))).toBeNull();
  expect(describeDatabaseFault(new DOMException('no key', 'DataError'))).toBeNull();
  expect(describeDatabaseFault('x')).toBeNull();
  expect(describeDatabaseFault(Object.assign(new Error('x'), { code: '53100' }))).toContain('its disk is full');
  // A service that is newer than the database.
  for (const code of ['42703', '42883'])
    expect(describeDatabaseFault(Object.assign(new Error('x'), { code }))).toContain('run `npx tripline migrate`');
});
