import { loadConfig } from '@tripline/config/config';
import { settings } from '@tripline/config/settings';
import { systemClock as clock } from '@tripline/runtime/clock';
import { describe, expect, test } from 'vitest';
import { openMinters } from './minters.ts';

const app = (id: string, tiers?: string[]) => ({
  id,
  privateKey: 'a key of sixteen characters',
  ...(tiers && { tiers }),
});
const opened = (broker: object) => {
  const config = loadConfig({}, '/nonexistent');
  return openMinters({ ...config, broker: { ...config.broker, ...settings.parse({ broker }).broker } }, { clock });
};

describe('minters', () => {
  test('are those of the tier, or else those that name none', async () => {
    const { of } = await opened({ apps: [app('1'), app('2', ['production', 'staging'])] });
    const [production, staging, dev] = ['production', 'staging', 'dev'].map((tier) => of('github', tier));
    expect(production).toBeDefined();
    expect(staging).toBe(production);
    expect(dev).toBeDefined();
    expect(dev).not.toBe(production);
  });

  test('of a tier that nothing is configured for are none', async () => {
    const { of, looks } = await opened({ apps: [app('2', ['production'])] });
    expect(of('github', 'staging')).toBeUndefined();
    expect(of('aws', 'production')).toBeUndefined();
    expect(looks.map(({ name }) => name)).toEqual(['minter GitHub App 2 (production)']);
  });

  test('of one tier are not two, and of the others neither', () => {
    const faults = (apps: object[]) =>
      settings.safeParse({ broker: { apps } }).error?.issues.map(({ message }) => message);
    expect(faults([app('1'), app('2', ['production'])])).toBeUndefined();
    expect(faults([app('1', ['production']), app('2', ['staging', 'production'])])).toEqual([
      'production is named by another entry too',
    ]);
    expect(faults([app('1'), app('2')])).toEqual(['another entry without tiers is for those that no other names']);
  });
});
