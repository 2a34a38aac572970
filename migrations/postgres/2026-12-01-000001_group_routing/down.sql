ALTER TABLE provider_groups DROP COLUMN routing;
