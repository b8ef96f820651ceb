-- Lanes of scopes' own. An empty namespace is the hosts' own; any other is one scope's alone.
CREATE TABLE lanes (
    tenant         TEXT NOT NULL,
    environment    TEXT NOT NULL,
    namespace      TEXT NOT NULL,
    task_queue     TEXT NOT NULL,
    default_plugin TEXT,
    PRIMARY KEY (tenant, environment),
    FOREIGN KEY (tenant, environment) REFERENCES environments (tenant, environment),
    UNIQUE (namespace, task_queue)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX lanes_apart ON lanes (namespace) WHERE namespace <> '';
