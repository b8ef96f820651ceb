-- What admins set for a tenant: its quotas, and the defaults and ceilings of its plugins' limits (JSON).
ALTER TABLE tenants ADD COLUMN quotas TEXT NOT NULL DEFAULT '{}';
ALTER TABLE tenants ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';

-- The bucket of a tenant's starts: the time, in nanoseconds since the Unix epoch, at which it is full again.
CREATE TABLE start_buckets (
    tenant     TEXT    NOT NULL PRIMARY KEY REFERENCES tenants (tenant),
    full_again INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a plugin keeps in `state`, kept up by triggers: nothing can be written past it.
CREATE TABLE state_use (
    tenant      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    plugin      TEXT    NOT NULL,
    keys        INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    PRIMARY KEY (tenant, environment, plugin)
) STRICT, WITHOUT ROWID;

INSERT INTO state_use (tenant, environment, plugin, keys, bytes)
SELECT tenant, environment, plugin, COUNT(*), SUM(octet_length(bucket) + octet_length(key) + octet_length(value))
FROM state GROUP BY tenant, environment, plugin;

CREATE TRIGGER state_added AFTER INSERT ON state BEGIN
    INSERT INTO state_use (tenant, environment, plugin, keys, bytes)
    VALUES (new.tenant, new.environment, new.plugin, 1,
            octet_length(new.bucket) + octet_length(new.key) + octet_length(new.value))
    ON CONFLICT (tenant, environment, plugin) DO UPDATE
    SET keys = state_use.keys + excluded.keys, bytes = state_use.bytes + excluded.bytes;
END;

CREATE TRIGGER state_changed AFTER UPDATE OF value ON state BEGIN
    UPDATE state_use SET bytes = bytes + octet_length(new.value) - octet_length(old.value)
    WHERE tenant = new.tenant AND environment = new.environment AND plugin = new.plugin;
END;

CREATE TRIGGER state_removed AFTER DELETE ON state BEGIN
    UPDATE state_use SET keys = keys - 1,
        bytes = bytes - octet_length(old.bucket) - octet_length(old.key) - octet_length(old.value)
    WHERE tenant = old.tenant AND environment = old.environment AND plugin = old.plugin;
END;
