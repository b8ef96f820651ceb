-- The first run of a release that came to other commands when it was repeated (JSON).
ALTER TABLE releases ADD COLUMN double_run TEXT;
