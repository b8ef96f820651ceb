-- Encrypted secrets of plugins. `key_id` names the operator's key that `data_key` is encrypted under; `value` is
-- encrypted under that. `set_at` is in milliseconds since the Unix epoch.
CREATE TABLE secrets (
    tenant      TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    plugin      TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    key_id      TEXT   NOT NULL,
    data_key    BYTEA  NOT NULL,
    value       BYTEA  NOT NULL,
    set_at      BIGINT NOT NULL,
    PRIMARY KEY (tenant, environment, plugin, name),
    FOREIGN KEY (tenant, environment, plugin) REFERENCES plugins (tenant, environment, plugin)
);

CREATE INDEX secrets_by_key ON secrets (key_id);
