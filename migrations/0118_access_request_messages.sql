-- What Slack shows of a request: where the message stands, and of which prompt and state it tells; null where none does yet.
ALTER TABLE access_rights ADD COLUMN message jsonb;
