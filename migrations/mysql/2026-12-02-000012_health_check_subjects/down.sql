DROP TABLE health_check_subjects;
