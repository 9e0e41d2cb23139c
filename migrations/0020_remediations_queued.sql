-- A step that finds no free place under the cap waits for one instead of being refused for good, GitHub is asked before
-- anything is done, and there are more reasons why a step is not carried out.

-- Before it, nobody takes the step up again. `queued`: when a place is free at the earliest; `acting`: when it is tried
-- again, after an attempt that came to nothing.
ALTER TABLE remediations ADD COLUMN due_at timestamptz;
-- Since when it waits for a place; the hours make it graver. Null when it never had to.
ALTER TABLE remediations ADD COLUMN queued_at timestamptz;
-- When it was begun first: from then on it is tried for so long. `acted_at` is when it was begun last.
ALTER TABLE remediations ADD COLUMN begun_at timestamptz;
-- When a request that changes something was about to be sent last. Null: GitHub was asked at most. Counted by the cap.
ALTER TABLE remediations ADD COLUMN sent_at timestamptz;
UPDATE remediations SET begun_at = acted_at, sent_at = acted_at WHERE acted_at IS NOT NULL;
-- What was called break-glass is `protected`. Processes of the former version may still write the old word.
ALTER TABLE remediations DROP CONSTRAINT remediations_verdict_check;
UPDATE remediations SET verdict = 'protected', reason = 'protected' WHERE verdict = 'break-glass';
ALTER TABLE remediations ADD CONSTRAINT remediations_verdict_check CHECK (verdict IN ('act', 'dry-run', 'not-in-policy',
  'break-glass', 'protected', 'rate-capped', 'kill-switch', 'not-configured', 'withdrawn', 'resolved', 'unproven', 'not-so'));
-- planned → acting → done | failed; planned → queued → acting; planned, queued or acting → refused.
ALTER TABLE remediations DROP CONSTRAINT remediations_state_check;
ALTER TABLE remediations ADD CONSTRAINT remediations_state_check
  CHECK (state IN ('planned', 'queued', 'acting', 'done', 'failed', 'refused'));
ALTER TABLE remediations ADD CONSTRAINT queued_says_why_and_until
  CHECK (state <> 'queued' OR (verdict = 'rate-capped' AND due_at IS NOT NULL AND queued_at IS NOT NULL));
CREATE INDEX remediations_queued ON remediations (workspace, action) WHERE state = 'queued';
