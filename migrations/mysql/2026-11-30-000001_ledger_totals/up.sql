-- Numbers of the whole ledger, which are changed in the transaction that changes the ledger, and read in its stead.
CREATE TABLE ledger_totals (
  name VARCHAR(64) NOT NULL PRIMARY KEY,
  value BIGINT NOT NULL
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
