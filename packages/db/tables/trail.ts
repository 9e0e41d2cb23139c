/** Tables of migrations/*_trail.sql, for kysely. */
export type TrailTables = Record<never, never>;
