-- Rules that threw, and records that could not be read, so that whoever asks hears of it: the records themselves lie in the
-- dead-letter topic. Written by packages/db/rule-faults.ts, outside the batch's transaction: a replay may count twice.
CREATE TABLE rule_faults (
  -- Id of the rule; `@record` for records that nobody could read or that were not proved.
  rule    text PRIMARY KEY CHECK (rule <> ''),
  -- Of the last time; quotes no record.
  reason  text NOT NULL,
  -- How often since `since`, which starts anew after an hour without a fault.
  times   bigint NOT NULL CHECK (times > 0),
  since   timestamptz NOT NULL,
  last_at timestamptz NOT NULL
);
