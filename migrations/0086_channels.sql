-- A channel is a folder of packages/integrations and a line of its registry: no list of them stands in the schema.

ALTER TABLE told DROP CONSTRAINT told_sink_check;
ALTER TABLE told ADD CONSTRAINT told_sink_check CHECK (sink ~ '^[a-z][a-z0-9-]*$') NOT VALID;
ALTER TABLE messages DROP CONSTRAINT messages_sink_check;
ALTER TABLE messages ADD CONSTRAINT messages_sink_check CHECK (sink ~ '^[a-z][a-z0-9-]*$') NOT VALID;
-- Which kinds of messages a channel sends is its own to say.
ALTER TABLE messages DROP CONSTRAINT kind_of_its_sink;
ALTER TABLE sink_troubles DROP CONSTRAINT sink_troubles_sink_check;
ALTER TABLE sink_troubles ADD CONSTRAINT sink_troubles_sink_check CHECK (sink ~ '^[a-z][a-z0-9-]*$') NOT VALID;
-- How a channel's service names the message: texts by name, beside what Slack and PagerDuty have columns for.
ALTER TABLE told ADD COLUMN reference jsonb;
ALTER TABLE told ADD CONSTRAINT told_reference_check CHECK (jsonb_typeof(reference) = 'object') NOT VALID;
