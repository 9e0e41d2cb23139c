-- Where somebody was written to of a prompt, so that the message says what became of it instead of asking for ever.
CREATE TABLE access_prompt_messages (
  prompt  text NOT NULL REFERENCES access_step_ups (id) ON DELETE CASCADE,
  -- Slack's name of the message.
  channel text NOT NULL CHECK (channel <> ''),
  ts      text NOT NULL CHECK (ts <> ''),
  -- What it shows of the prompt.
  shows   text NOT NULL DEFAULT 'open' CHECK (shows IN ('open', 'approved', 'refused', 'closed')),
  PRIMARY KEY (channel, ts)
);
CREATE INDEX access_prompt_messages_by_prompt ON access_prompt_messages (prompt);
