ALTER TABLE provider_groups
  ADD COLUMN unsupported_parameters TEXT NOT NULL DEFAULT 'drop',
  ADD COLUMN upstream_stream TEXT,
  ADD COLUMN model_facts TEXT,
  ADD COLUMN api_version TEXT;
