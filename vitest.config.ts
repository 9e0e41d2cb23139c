import { defineConfig } from 'vitest/config';

/** `fast`: beside the sources, on a real Postgres where they touch one. `wide`: in test/, with a real Kafka broker too. */
export default defineConfig({
  test: {
    reporters: ['default', './packages/testing/plain-line.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          include: ['packages/**/*.test.ts', 'services/**/*.test.ts'],
          // vitest leaves one core to its own process, which has next to nothing to do here.
          maxWorkers: '100%',
          globalSetup: ['packages/testing/postgres/postgres.global.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'wide',
          include: ['test/**/*.test.ts'],
          globalSetup: ['packages/testing/postgres/postgres.global.ts', 'packages/testing/kafka/kafka.global.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
