ALTER TABLE upstream_keys ADD COLUMN routing TEXT;
