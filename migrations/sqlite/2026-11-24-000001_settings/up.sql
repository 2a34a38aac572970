-- Ids are UUIDv7 text, times are epoch milliseconds, JSON is text. `_sealed` columns hold `<key id>.<base64>`.
CREATE TABLE settings (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);
