ALTER TABLE provider_groups ADD COLUMN routing TEXT;
