import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { main } from '../packages/cli/main.ts';
import { type FreshDatabase, freshDatabaseOn } from '../packages/testing/postgres/fresh-database.ts';

describe('on a database that lacks a migration', () => {
  let folder: string;
  let database: FreshDatabase;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tripline-unmigrated-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  beforeEach(async () => {
    database = await freshDatabaseOn(inject('postgresUrl'));
    await database.db.pool.query(
      'DELETE FROM schema_migrations WHERE name = (SELECT max(name) FROM schema_migrations)',
    );
  });
  afterEach(() => database.close());

  test.each(['reconciler', 'recorder', 'detector', 'notifier', 'remediator', 'broker'] as const)(
    'the %s does not start, under the rights of its own role, and says what to do',
    async (service) => {
      let said = '';
      const say = (text: string) => {
        said += text;
      };
      const env = {
        DATABASE_URL: database.urlAs(service),
        ...{ TRIPLINE_PORT: '0', TRIPLINE_OPERATIONS_PORT: '0', TRIPLINE_BROKER_PORT: '0' },
        TRIPLINE_INTERNAL_KEY: 'a'.repeat(64),
      };
      const io = { out: say, err: say, stdin: Readable.from(['']), cwd: folder, isTerminal: false };
      expect(await main([service], { ...io, env })).toBe(1);
      expect(said).toMatch(
        /the database is older than this Tripline \(it lacks \d{4}_\w+\.sql\): run `npx tripline migrate`/,
      );
    },
  );
});
