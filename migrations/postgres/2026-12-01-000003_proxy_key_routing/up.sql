ALTER TABLE proxy_keys ADD COLUMN routing TEXT;
