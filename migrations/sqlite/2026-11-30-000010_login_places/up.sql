CREATE TABLE login_places (
  account TEXT NOT NULL,
  place TEXT NOT NULL,
  last_login_at BIGINT NOT NULL,
  PRIMARY KEY (account, place)
);
