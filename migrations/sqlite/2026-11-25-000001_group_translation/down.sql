ALTER TABLE provider_groups DROP COLUMN unsupported_parameters;
ALTER TABLE provider_groups DROP COLUMN upstream_stream;
ALTER TABLE provider_groups DROP COLUMN model_facts;
ALTER TABLE provider_groups DROP COLUMN api_version;
