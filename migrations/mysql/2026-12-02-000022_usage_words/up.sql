-- As long as the longest word that is kept of a record.
ALTER TABLE usage_records
  MODIFY COLUMN affinity VARCHAR(64),
  MODIFY COLUMN group_policy VARCHAR(64);
