import { loadConfig } from '@tripline/config/config';
import { type Db, openDatabase } from '@tripline/db/database';
import { applyGrants, grantStatements, haveRoles, readTables, roleName, serviceRoles } from '@tripline/db/grants';
import { migrate as migrateDatabase } from '@tripline/db/migrate';
import { type Command, type Io, readArguments, UsageError, UserError } from '../command.ts';

const options = {
  grants: { type: 'boolean', doc: 'print the statements that create one role per service, with the least rights' },
  apply: { type: 'boolean', doc: 'with --grants: run them' },
} as const;

export const migrate: Command = {
  name: 'migrate',
  summary: 'Bring the schema of the database at DATABASE_URL up to date',
  usage: ['migrate', 'migrate --grants [--apply]'],
  details:
    '`tripline up` does this by itself. Safe to run again, and while the former version still works. With roles, run ' +
    '`migrate --grants --apply` after it, by who owns the tables and may make roles.',
  options,
  async run(args, io) {
    const { values } = readArguments(args, options, { atMost: 0 });
    if (values.apply && !values.grants) throw new UsageError('--apply is for --grants');
    const config = loadConfig(io.env, io.cwd);
    if (!config.database.url) {
      throw new UserError('set DATABASE_URL: the embedded database is migrated by `tripline up` itself');
    }
    const db = openDatabase(config.database.url, { applicationName: 'tripline-migrate', maxConnections: 4 });
    try {
      if (values.grants) await grant(db, values.apply ?? false, io);
      else await bringUpToDate(db, io);
    } finally {
      await db.close();
    }
    return 0;
  },
};

async function bringUpToDate(db: Db, io: Io): Promise<void> {
  await migrateDatabase(db);
  io.out('The schema is up to date.\n');
  if (await haveRoles(db))
    io.out('Run `tripline migrate --grants --apply` too: no role has rights on new tables yet.\n');
}

async function grant(db: Db, apply: boolean, io: Io): Promise<void> {
  if (!apply) {
    const statements = grantStatements(await readTables(db));
    io.out(['BEGIN', ...statements, 'COMMIT'].map((statement) => `${statement};\n`).join(''));
    io.out(`-- Then a password each: ${serviceRoles.map((one) => `\\password ${roleName(one)}`).join('; ')}\n`);
    return;
  }
  await applyGrants(db);
  io.out(`Each service has a role: ${serviceRoles.map(roleName).join(', ')}.\n`);
  io.out('One that is new has no password yet: `\\password <role>` in psql gives it one.\n');
}
