/** Tables of migrations/*_messages.sql, for kysely. */
export type MessagesTables = Record<never, never>;
