ALTER TABLE upstream_keys DROP COLUMN own_sealed;
