-- What was moved is told longer than its job is known: the job's public id is kept beside its number.
ALTER TABLE `motion_migration` ADD COLUMN `job_uuid` varchar(40);
UPDATE `motion_migration` SET `job_uuid` = (SELECT `uuid` FROM `async_job` WHERE `async_job`.`id` = `motion_migration`.`job_id`);
CREATE INDEX `i_motion_migration__job_uuid` ON `motion_migration` (`job_uuid`);
