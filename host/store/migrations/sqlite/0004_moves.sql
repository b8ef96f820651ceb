-- 1 from the first policy on that lets running executions of the plugin move to another release: whoever replays one
-- asks its history where it is.
ALTER TABLE plugins ADD COLUMN moves INTEGER NOT NULL DEFAULT 0;
