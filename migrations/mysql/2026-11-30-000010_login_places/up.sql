CREATE TABLE login_places (
  account VARCHAR(64) NOT NULL,
  place VARCHAR(64) NOT NULL,
  last_login_at BIGINT NOT NULL,
  PRIMARY KEY (account, place)
) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
