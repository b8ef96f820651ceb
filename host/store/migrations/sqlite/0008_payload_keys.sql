-- Whether a tenant's payloads are encrypted: off, on, or shredded.
ALTER TABLE tenants ADD COLUMN encryption TEXT NOT NULL DEFAULT 'off';

-- The data keys of tenants, the newest with the highest number. `key_id` names the operator's key that `data_key` is
-- encrypted under; `made_at` is in milliseconds since the Unix epoch.
CREATE TABLE payload_keys (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant   TEXT    NOT NULL REFERENCES tenants (tenant) ON DELETE CASCADE,
    id       TEXT    NOT NULL,
    key_id   TEXT    NOT NULL,
    data_key BLOB    NOT NULL,
    made_at  INTEGER NOT NULL,
    UNIQUE (tenant, id)
) STRICT;

CREATE INDEX payload_keys_by_key ON payload_keys (key_id);
