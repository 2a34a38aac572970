ALTER TABLE provider_groups ADD COLUMN unsupported_parameters TEXT NOT NULL DEFAULT 'drop';
ALTER TABLE provider_groups ADD COLUMN upstream_stream TEXT;
ALTER TABLE provider_groups ADD COLUMN model_facts TEXT;
ALTER TABLE provider_groups ADD COLUMN api_version TEXT;
