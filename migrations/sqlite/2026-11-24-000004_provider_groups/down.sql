DROP TABLE provider_groups;
