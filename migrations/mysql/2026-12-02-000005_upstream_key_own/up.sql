ALTER TABLE upstream_keys ADD COLUMN own_sealed MEDIUMTEXT;
