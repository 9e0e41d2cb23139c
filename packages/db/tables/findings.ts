/** Tables of migrations/*_findings.sql, for kysely. */
export type FindingsTables = Record<never, never>;
