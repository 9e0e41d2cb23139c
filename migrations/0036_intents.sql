-- Steps of playbooks are intents, whatever provider carries them out, and some are for a person to do.

-- The list of intents is contracts/response.ts's, which every row passes; processes of the former version write theirs.
ALTER TABLE remediations DROP CONSTRAINT remediations_action_check;
ALTER TABLE remediations ADD CONSTRAINT remediations_action_check CHECK (action ~ '^[a-z][a-z-]*$') NOT VALID;
ALTER TABLE remediations DROP CONSTRAINT remediations_verdict_check;
ALTER TABLE remediations ADD CONSTRAINT remediations_verdict_check CHECK (verdict IN ('act', 'dry-run', 'not-in-policy',
  'break-glass', 'protected', 'rate-capped', 'kill-switch', 'not-configured', 'withdrawn', 'resolved', 'unproven', 'not-so',
  'by-hand')) NOT VALID;
-- Null where no integration can do it: nothing is ever sent.
ALTER TABLE remediations ALTER COLUMN request DROP NOT NULL;
ALTER TABLE remediations ADD CONSTRAINT sends_what_it_shows
  CHECK (request IS NOT NULL OR state IN ('planned', 'refused')) NOT VALID;
