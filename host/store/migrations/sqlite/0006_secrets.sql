-- Encrypted secrets of plugins. `key_id` names the operator's key that `data_key` is encrypted under; `value` is
-- encrypted under that. `set_at` is in milliseconds since the Unix epoch.
CREATE TABLE secrets (
    tenant      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    plugin      TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    key_id      TEXT    NOT NULL,
    data_key    BLOB    NOT NULL,
    value       BLOB    NOT NULL,
    set_at      INTEGER NOT NULL,
    PRIMARY KEY (tenant, environment, plugin, name),
    FOREIGN KEY (tenant, environment, plugin) REFERENCES plugins (tenant, environment, plugin)
) STRICT;

CREATE INDEX secrets_by_key ON secrets (key_id);
