ALTER TABLE proxy_keys DROP COLUMN routing;
