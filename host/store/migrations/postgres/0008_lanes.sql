-- Lanes of scopes' own. An empty namespace is the hosts' own; any other is one scope's alone.
CREATE TABLE lanes (
    tenant         TEXT COLLATE "C" NOT NULL,
    environment    TEXT COLLATE "C" NOT NULL,
    namespace      TEXT COLLATE "C" NOT NULL,
    task_queue     TEXT COLLATE "C" NOT NULL,
    default_plugin TEXT,
    PRIMARY KEY (tenant, environment),
    FOREIGN KEY (tenant, environment) REFERENCES environments (tenant, environment),
    UNIQUE (namespace, task_queue)
);

CREATE UNIQUE INDEX lanes_apart ON lanes (namespace) WHERE namespace <> '';
