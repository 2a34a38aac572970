ALTER TABLE upstream_keys DROP COLUMN routing;
