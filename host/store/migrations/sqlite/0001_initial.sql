-- Names are checked before they come here; a digest is `sha256:<hex>`; JSON columns hold what the domain types serialise to.

CREATE TABLE tenants (
    tenant TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE environments (
    tenant      TEXT NOT NULL REFERENCES tenants (tenant),
    environment TEXT NOT NULL,
    PRIMARY KEY (tenant, environment)
) STRICT, WITHOUT ROWID;

-- One row holds all that a worker needs to run a plugin, so that a snapshot is one read.
CREATE TABLE plugins (
    tenant      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    plugin      TEXT    NOT NULL,
    current     TEXT,
    grants      TEXT    NOT NULL DEFAULT '{}',
    config      TEXT    NOT NULL DEFAULT '{}',
    revision    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, environment, plugin),
    FOREIGN KEY (tenant, environment) REFERENCES environments (tenant, environment),
    FOREIGN KEY (tenant, environment, plugin, current) REFERENCES releases (tenant, environment, plugin, digest)
) STRICT;

-- `number` gives the order of arrival, for lists with the newest first.
CREATE TABLE releases (
    number      INTEGER PRIMARY KEY,
    tenant      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    plugin      TEXT    NOT NULL,
    digest      TEXT    NOT NULL,
    version     TEXT,
    bytes       INTEGER NOT NULL,
    uploaded_at INTEGER NOT NULL,
    metadata    TEXT    NOT NULL,
    checks      TEXT    NOT NULL,
    UNIQUE (tenant, environment, plugin, digest),
    FOREIGN KEY (tenant, environment, plugin) REFERENCES plugins (tenant, environment, plugin)
) STRICT;

-- A token without a tenant is an admin's. Only a hash of its secret part is kept.
CREATE TABLE tokens (
    id          TEXT NOT NULL PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    tenant      TEXT REFERENCES tenants (tenant)
) STRICT, WITHOUT ROWID;

-- The key with the highest number signs, all verify.
CREATE TABLE context_keys (
    number INTEGER PRIMARY KEY,
    id     TEXT NOT NULL UNIQUE,
    secret BLOB NOT NULL
) STRICT;

CREATE TABLE state (
    tenant      TEXT NOT NULL,
    environment TEXT NOT NULL,
    plugin      TEXT NOT NULL,
    bucket      TEXT NOT NULL,
    key         TEXT NOT NULL,
    value       BLOB NOT NULL,
    PRIMARY KEY (tenant, environment, plugin, bucket, key),
    FOREIGN KEY (tenant, environment, plugin) REFERENCES plugins (tenant, environment, plugin)
) STRICT;
