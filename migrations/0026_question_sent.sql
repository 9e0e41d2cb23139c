-- When a delivery that is asked about was sent, as far as it tells: it may have waited in a spool, and the provider's list
-- has it under its own time. Null in rows of a former version.
ALTER TABLE delivery_questions ADD COLUMN sent_at timestamptz;
