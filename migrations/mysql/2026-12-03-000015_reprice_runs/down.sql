DROP TABLE reprice_runs;
