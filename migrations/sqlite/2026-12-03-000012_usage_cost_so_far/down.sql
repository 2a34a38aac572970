DELETE FROM ledger_totals WHERE name IN ('unpriced_records', 'cost_micros');
