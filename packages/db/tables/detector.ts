/** Tables of migrations/*_detector.sql, for kysely. */
export type DetectorTables = Record<never, never>;
