-- Runs with a workflow task that the plugin's own code failed, written down while a ramp is under way. `pinned` is 0
-- where it was the first task: such a run is on no list of the release's executions.
CREATE TABLE task_failures (
    tenant      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    plugin      TEXT    NOT NULL,
    digest      TEXT    NOT NULL,
    run         TEXT    NOT NULL,
    pinned      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (tenant, environment, plugin, digest, run)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_failures_by_time ON task_failures (at);
