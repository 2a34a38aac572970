DROP TABLE health_check_results;
