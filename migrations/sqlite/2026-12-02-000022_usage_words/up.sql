-- The other databases bound the words of a record; here a text is as long as it is.
SELECT 1;
