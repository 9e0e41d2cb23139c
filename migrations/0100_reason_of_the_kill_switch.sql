-- Who throws the kill switch in a hurry gives no reason: then there is none, rather than a text that says so.
ALTER TABLE switches ALTER COLUMN reason DROP NOT NULL;
UPDATE switches SET reason = NULL WHERE reason = 'none given';
