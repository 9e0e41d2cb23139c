/** Tables of migrations/*_remediations.sql, for kysely. */
export type RemediationsTables = Record<never, never>;
