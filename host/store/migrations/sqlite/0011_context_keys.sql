-- When a context key was made and from when on it signs, in milliseconds since the Unix epoch: until then, and after a newer
-- one signs, it verifies. Keys of before were made and sign, as far as is known, from now on.
ALTER TABLE context_keys ADD COLUMN made_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE context_keys ADD COLUMN signs_from INTEGER NOT NULL DEFAULT 0;
UPDATE context_keys SET made_at = unixepoch() * 1000, signs_from = unixepoch() * 1000;
