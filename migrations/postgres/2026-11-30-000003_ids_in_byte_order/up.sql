-- Lists go by id. The order of ids must be that of their bytes, whatever the locale of the database is.
ALTER TABLE provider_groups ALTER COLUMN id TYPE TEXT COLLATE "C";
ALTER TABLE proxy_keys ALTER COLUMN id TYPE TEXT COLLATE "C";
ALTER TABLE audit_log ALTER COLUMN id TYPE TEXT COLLATE "C";
ALTER TABLE usage_records ALTER COLUMN id TYPE TEXT COLLATE "C";
