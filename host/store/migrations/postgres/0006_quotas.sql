-- What admins set for a tenant: its quotas, and the defaults and ceilings of its plugins' limits (JSON).
ALTER TABLE tenants ADD COLUMN quotas TEXT NOT NULL DEFAULT '{}';
ALTER TABLE tenants ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';

-- The bucket of a tenant's starts: the time, in nanoseconds since the Unix epoch, at which it is full again.
CREATE TABLE start_buckets (
    tenant     TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES tenants (tenant),
    full_again BIGINT NOT NULL
);

-- What a plugin keeps in `state`, kept up by a trigger: nothing can be written past it.
CREATE TABLE state_use (
    tenant      TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    plugin      TEXT COLLATE "C" NOT NULL,
    keys        BIGINT NOT NULL,
    bytes       BIGINT NOT NULL,
    PRIMARY KEY (tenant, environment, plugin)
);

-- Hosts of the version before go on writing: none of it between the count and the trigger.
LOCK TABLE state IN SHARE ROW EXCLUSIVE MODE;

INSERT INTO state_use (tenant, environment, plugin, keys, bytes)
SELECT tenant, environment, plugin, COUNT(*), SUM(octet_length(bucket) + octet_length(key) + octet_length(value))
FROM state GROUP BY tenant, environment, plugin;

CREATE FUNCTION count_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO state_use (tenant, environment, plugin, keys, bytes)
        VALUES (NEW.tenant, NEW.environment, NEW.plugin, 1,
                octet_length(NEW.bucket) + octet_length(NEW.key) + octet_length(NEW.value))
        ON CONFLICT (tenant, environment, plugin) DO UPDATE
        SET keys = state_use.keys + excluded.keys, bytes = state_use.bytes + excluded.bytes;
    ELSIF TG_OP = 'UPDATE' THEN
        UPDATE state_use SET bytes = bytes + octet_length(NEW.value) - octet_length(OLD.value)
        WHERE tenant = NEW.tenant AND environment = NEW.environment AND plugin = NEW.plugin;
    ELSE
        UPDATE state_use SET keys = keys - 1,
            bytes = bytes - octet_length(OLD.bucket) - octet_length(OLD.key) - octet_length(OLD.value)
        WHERE tenant = OLD.tenant AND environment = OLD.environment AND plugin = OLD.plugin;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER state_counted AFTER INSERT OR UPDATE OF value OR DELETE ON state
    FOR EACH ROW EXECUTE FUNCTION count_state();
