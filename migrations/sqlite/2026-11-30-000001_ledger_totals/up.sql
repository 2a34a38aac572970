-- Numbers of the whole ledger, which are changed in the transaction that changes the ledger, and read in its stead.
CREATE TABLE ledger_totals (
  name TEXT NOT NULL PRIMARY KEY,
  value BIGINT NOT NULL
);
