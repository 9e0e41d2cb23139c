-- Of what time which records are lost: a provider keeps some for longer than others. Null in what former versions wrote.
ALTER TABLE feed_polls ADD COLUMN lost_records text CHECK (lost_records <> '');
