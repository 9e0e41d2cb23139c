/** Tables of migrations/*_log.sql, for kysely. */
export type LogTables = Record<never, never>;
