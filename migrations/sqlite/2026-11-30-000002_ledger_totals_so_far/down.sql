DELETE FROM ledger_totals WHERE name = 'usage_records';
