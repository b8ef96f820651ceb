-- When a context key was made and from when on it signs, in milliseconds since the Unix epoch: until then, and after a newer
-- one signs, it verifies. Keys of before were made and sign, as far as is known, from now on.
ALTER TABLE context_keys ADD COLUMN made_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE context_keys ADD COLUMN signs_from BIGINT NOT NULL DEFAULT 0;
UPDATE context_keys SET
    made_at = (extract(epoch FROM now()) * 1000)::BIGINT,
    signs_from = (extract(epoch FROM now()) * 1000)::BIGINT;
