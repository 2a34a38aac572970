ALTER TABLE provider_groups
  DROP COLUMN unsupported_parameters,
  DROP COLUMN upstream_stream,
  DROP COLUMN model_facts,
  DROP COLUMN api_version;
