ALTER TABLE config_changes DROP COLUMN lineage;
