DROP TABLE global_error_rules;
