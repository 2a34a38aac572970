DROP TABLE global_prices;
