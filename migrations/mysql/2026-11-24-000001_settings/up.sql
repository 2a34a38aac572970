-- Ids are UUIDv7 text, times are epoch milliseconds, JSON is text. `_sealed` columns hold `<key id>.<base64>`.
CREATE TABLE settings (
  name VARCHAR(64) NOT NULL PRIMARY KEY,
  value MEDIUMTEXT NOT NULL
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
