-- What the change has made at random for its version. Null where an older build made the change.
ALTER TABLE config_changes ADD COLUMN lineage TEXT;
