-- As long as the longest word that is kept of a record.
ALTER TABLE usage_records
  ALTER COLUMN affinity TYPE VARCHAR(64),
  ALTER COLUMN group_policy TYPE VARCHAR(64);
