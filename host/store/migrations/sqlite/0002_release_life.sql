-- The life of a release: its state, who checks it, what was found, what is decided for its plugin, and who did what.

ALTER TABLE plugins ADD COLUMN previous TEXT;
ALTER TABLE plugins ADD COLUMN rollout TEXT;
ALTER TABLE plugins ADD COLUMN policy TEXT NOT NULL DEFAULT '{}';

-- `lease_host` checks the release until `lease_until` (milliseconds since the Unix epoch); then anybody may.
ALTER TABLE releases ADD COLUMN state TEXT NOT NULL DEFAULT 'draining';
ALTER TABLE releases ADD COLUMN state_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE releases ADD COLUMN origin TEXT NOT NULL DEFAULT 'upload';
ALTER TABLE releases ADD COLUMN replay TEXT;
ALTER TABLE releases ADD COLUMN progress TEXT;
ALTER TABLE releases ADD COLUMN lease_host TEXT;
ALTER TABLE releases ADD COLUMN lease_until INTEGER NOT NULL DEFAULT 0;

UPDATE releases SET state = 'current' WHERE EXISTS (
    SELECT 1 FROM plugins p
    WHERE p.tenant = releases.tenant AND p.environment = releases.environment
      AND p.plugin = releases.plugin AND p.current = releases.digest
);

CREATE INDEX releases_by_state ON releases (state, lease_until);
CREATE INDEX releases_by_digest ON releases (digest);

-- Only ever added to.
CREATE TABLE audit (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    who         TEXT    NOT NULL,
    came_from   TEXT    NOT NULL,
    why         TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    tenant      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    plugin      TEXT    NOT NULL,
    digest      TEXT,
    detail      TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_of_plugin ON audit (tenant, environment, plugin, number);

-- A token of before is an admin's or an operator's of its tenant; `role` says which, and the rest what it is bound to.
ALTER TABLE tokens ADD COLUMN role TEXT NOT NULL DEFAULT 'operator';
ALTER TABLE tokens ADD COLUMN environment TEXT;
ALTER TABLE tokens ADD COLUMN plugin TEXT;
ALTER TABLE tokens ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN expires_at INTEGER;
UPDATE tokens SET role = 'admin' WHERE tenant IS NULL;
