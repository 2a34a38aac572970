DROP TABLE login_places;
