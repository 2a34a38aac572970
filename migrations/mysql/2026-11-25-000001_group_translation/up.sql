ALTER TABLE provider_groups
  ADD COLUMN unsupported_parameters VARCHAR(64) NOT NULL DEFAULT 'drop',
  ADD COLUMN upstream_stream VARCHAR(64),
  ADD COLUMN model_facts MEDIUMTEXT,
  ADD COLUMN api_version VARCHAR(64);
