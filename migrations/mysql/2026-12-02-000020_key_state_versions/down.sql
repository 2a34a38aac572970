ALTER TABLE key_states DROP INDEX key_states_version, DROP COLUMN version;
