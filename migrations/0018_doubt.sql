-- When the hosts began to be asked what is true of a motion that has not been settled; NULL while nobody has to ask. And the limit
-- that this goes by, with where it came from.
ALTER TABLE `motion_migration` ADD COLUMN `reconciling` datetime;
ALTER TABLE `motion_migration` ADD COLUMN `unreachable_s` bigint;
ALTER TABLE `motion_migration` ADD COLUMN `unreachable_origin` varchar(255);
