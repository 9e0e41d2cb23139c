import { defineConfig } from 'vitest/config';

/** `npm run minters:oracle`: the suite of minters against real services, which are fetched once (pip). Not part of `npm test`. */
export default defineConfig({
  test: {
    include: ['test/minters/*.oracle.ts'],
    globalSetup: ['packages/testing/postgres/postgres.global.ts'],
    testTimeout: 60_000,
    hookTimeout: 300_000,
    fileParallelism: false,
  },
});
