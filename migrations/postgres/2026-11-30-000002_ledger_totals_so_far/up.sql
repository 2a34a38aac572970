-- Counted once. From now on each write to the ledger adds to its totals.
INSERT INTO ledger_totals (name, value) SELECT 'usage_records', COUNT(*) FROM usage_records;
