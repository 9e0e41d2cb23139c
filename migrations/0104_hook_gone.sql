-- Since when GitHub answers that there is no such webhook, of one whose list was read before; null while it answers otherwise.
ALTER TABLE hooks ADD COLUMN gone_since timestamptz;
