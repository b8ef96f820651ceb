-- True from the first policy on that lets running executions of the plugin move to another release: whoever replays
-- one asks its history where it is.
ALTER TABLE plugins ADD COLUMN moves BOOLEAN NOT NULL DEFAULT FALSE;
