CREATE TABLE audit_log (
  id VARCHAR(64) NOT NULL PRIMARY KEY,
  at BIGINT NOT NULL,
  user_id VARCHAR(64),
  username VARCHAR(255) NOT NULL,
  action VARCHAR(64) NOT NULL,
  resource VARCHAR(64) NOT NULL,
  resource_id VARCHAR(255),
  detail MEDIUMTEXT NOT NULL,
  client_ip VARCHAR(64) NOT NULL,
  INDEX audit_log_at (at, id)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
