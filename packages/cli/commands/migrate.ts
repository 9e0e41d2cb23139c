import { openDatabase } from '@tripline/db/database';
import { migrate as migrateDatabase } from '@tripline/db/migrate';
import { loadConfig } from '@tripline/runtime/config';
import { type Command, readArguments, UserError } from '../command.ts';

export const migrate: Command = {
  name: 'migrate',
  summary: 'Bring the schema of the database at DATABASE_URL up to date',
  usage: ['migrate'],
  details: '`tripline up` does this by itself. Safe to run again, and while the former version still works.',
  async run(args, io) {
    readArguments(args, {}, { atMost: 0 });
    const config = loadConfig(io.env, io.cwd);
    if (!config.database.url) {
      throw new UserError('set DATABASE_URL: the embedded database is migrated by `tripline up` itself');
    }
    const db = openDatabase(config.database.url, { applicationName: 'tripline-migrate', maxConnections: 4 });
    try {
      await migrateDatabase(db);
    } finally {
      await db.close();
    }
    io.out('The schema is up to date.\n');
    return 0;
  },
};
