-- Names are checked before they come here; a digest is `sha256:<hex>`; JSON columns hold what the domain types
-- serialise to, as text, so that they are read as in every other database. Texts are ordered by their bytes.

CREATE TABLE tenants (
    tenant TEXT COLLATE "C" NOT NULL PRIMARY KEY
);

CREATE TABLE environments (
    tenant      TEXT COLLATE "C" NOT NULL REFERENCES tenants (tenant),
    environment TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, environment)
);

-- One row holds all that a worker needs to run a plugin, so that a snapshot is one read. `changed` is the number of its
-- last change among all, `changed_by` the host that made it: what hosts hear of changes by.
CREATE TABLE plugins (
    tenant      TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    plugin      TEXT COLLATE "C" NOT NULL,
    current     TEXT COLLATE "C",
    previous    TEXT,
    rollout     TEXT,
    policy      TEXT   NOT NULL DEFAULT '{}',
    grants      TEXT   NOT NULL DEFAULT '{}',
    config      TEXT   NOT NULL DEFAULT '{}',
    revision    BIGINT NOT NULL DEFAULT 0,
    changed     BIGINT NOT NULL DEFAULT 0,
    changed_by  TEXT   NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, environment, plugin),
    FOREIGN KEY (tenant, environment) REFERENCES environments (tenant, environment)
);

CREATE INDEX plugins_by_change ON plugins (changed);

-- Counts the changes of plugins. One row, locked until the change commits, so that numbers become visible in order.
CREATE TABLE changes (
    number BIGINT NOT NULL
);
INSERT INTO changes (number) VALUES (0);

-- `number` gives the order of arrival, for lists with the newest first. `lease_host` checks the release until
-- `lease_until` (milliseconds since the Unix epoch); then anybody may.
CREATE TABLE releases (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    plugin      TEXT COLLATE "C" NOT NULL,
    digest      TEXT COLLATE "C" NOT NULL,
    version     TEXT,
    bytes       BIGINT NOT NULL,
    uploaded_at BIGINT NOT NULL,
    metadata    TEXT   NOT NULL,
    checks      TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    state_at    BIGINT NOT NULL,
    origin      TEXT   NOT NULL,
    replay      TEXT,
    progress    TEXT,
    lease_host  TEXT,
    lease_until BIGINT NOT NULL DEFAULT 0,
    UNIQUE (tenant, environment, plugin, digest),
    FOREIGN KEY (tenant, environment, plugin) REFERENCES plugins (tenant, environment, plugin)
);

ALTER TABLE plugins ADD FOREIGN KEY (tenant, environment, plugin, current)
    REFERENCES releases (tenant, environment, plugin, digest);

CREATE INDEX releases_by_state ON releases (state, number);
CREATE INDEX releases_by_digest ON releases (digest);

-- Only ever added to.
CREATE TABLE audit (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          BIGINT NOT NULL,
    who         TEXT   NOT NULL,
    came_from   TEXT   NOT NULL,
    why         TEXT   NOT NULL,
    action      TEXT   NOT NULL,
    tenant      TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    plugin      TEXT COLLATE "C" NOT NULL,
    digest      TEXT,
    detail      TEXT   NOT NULL
);

CREATE INDEX audit_of_plugin ON audit (tenant, environment, plugin, number);

-- `role` says what the token may, and the rest what it is bound to. Only a hash of its secret part is kept.
CREATE TABLE tokens (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    secret_hash BYTEA  NOT NULL,
    role        TEXT   NOT NULL,
    tenant      TEXT COLLATE "C" REFERENCES tenants (tenant),
    environment TEXT,
    plugin      TEXT,
    label       TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT
);

-- The key with the highest number signs, all verify.
CREATE TABLE context_keys (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id     TEXT  NOT NULL UNIQUE,
    secret BYTEA NOT NULL
);

CREATE TABLE state (
    tenant      TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    plugin      TEXT COLLATE "C" NOT NULL,
    bucket      TEXT COLLATE "C" NOT NULL,
    key         TEXT COLLATE "C" NOT NULL,
    value       BYTEA NOT NULL,
    PRIMARY KEY (tenant, environment, plugin, bucket, key),
    FOREIGN KEY (tenant, environment, plugin) REFERENCES plugins (tenant, environment, plugin)
);
