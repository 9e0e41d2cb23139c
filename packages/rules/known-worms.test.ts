import { describe, expect, test } from 'vitest';
import { isOfWorm, runnersOfWorms, worms } from './known-worms.ts';

describe('known worms', () => {
  test.each([
    ['s1ngularity-repository-1', ''],
    // As private repositories were renamed before they were shown.
    ['s1ngularity-repository-k3x9q', ''],
    ['shai-hulud', ''],
    ['app-migration', 'Shai-Hulud Migration'],
    ['wuhhsdknjf', 'Sha1-Hulud: The Second Coming.'],
    ['x', 'Goldox-T3chs: Only Happy Girl'],
    ['x', 'A Mini Shai-Hulud has Appeared'],
  ])('%s, “%s”', (name, description) => {
    expect(isOfWorm(name, description)).toBe(true);
  });

  test.each([
    ['app-migration', 'Moves the database'],
    ['shai-hulud-detector', 'Looks for Shai-Hulud: all of it'],
    ['dune', 'Notes on the novel'],
  ])('no: %s, “%s”', (name, description) => {
    expect(isOfWorm(name, description)).toBe(false);
  });

  test('each says since when and by whom it is known', () => {
    for (const { since, sources } of worms) expect([since, ...sources].every((one) => one.length > 5)).toBe(true);
    expect(runnersOfWorms).toContain('sha1hulud');
  });
});
