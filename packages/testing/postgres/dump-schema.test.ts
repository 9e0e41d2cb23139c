import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dumpSchema } from './dump-schema.ts';
import { freshDatabase } from './postgres.ts';

test('migrations/schema.sql is what the migrations add up to (`npm run docs` writes it)', async () => {
  const { db, close } = await freshDatabase();
  try {
    expect(readFileSync(join(import.meta.dirname, '../../../migrations/schema.sql'), 'utf8')).toBe(
      await dumpSchema(db),
    );
  } finally {
    await close();
  }
});
