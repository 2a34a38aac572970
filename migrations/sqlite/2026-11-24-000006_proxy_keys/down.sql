DROP TABLE proxy_keys;
