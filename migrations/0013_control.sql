-- A motion under control: told to stop, seen to stand still, and answered for to the last file.

-- Which jobs are to stop. `user_id` is who wished it; none when the gateway itself did, because the motion stood still.
-- `state`: wanted, asked (the host has been told), refused, and at the end done, late or unknown.
CREATE TABLE `motion_cancel` (
    `job_id` bigint unsigned NOT NULL PRIMARY KEY,
    `user_id` bigint unsigned,
    `state` varchar(16) NOT NULL,
    `reason` varchar(1024) NOT NULL,
    `answer` varchar(1024),
    `requested` datetime NOT NULL,
    `updated` datetime NOT NULL
);
CREATE INDEX `i_motion_cancel__state` ON `motion_cancel` (`state`);

-- How a motion goes on: what the host says that it does, how fast, since when nothing has changed, who says so, and after how
-- many seconds of standing still it is stopped.
ALTER TABLE `motion_migration` ADD COLUMN `host_phase` varchar(32);
ALTER TABLE `motion_migration` ADD COLUMN `bytes_per_second` bigint;
ALTER TABLE `motion_migration` ADD COLUMN `changed_at` datetime;
ALTER TABLE `motion_migration` ADD COLUMN `progress_source` varchar(16);
ALTER TABLE `motion_migration` ADD COLUMN `stall_s` bigint;
ALTER TABLE `motion_migration` ADD COLUMN `stall_origin` varchar(255);

-- What a disk was before it moved, so that it is known again afterwards.
ALTER TABLE `motion_disk` ADD COLUMN `identity` varchar(64);
ALTER TABLE `motion_disk` ADD COLUMN `size_bytes` bigint;

-- Every file that a motion may make or leave behind, written down before anything is sent. `role`: source or target.
-- `state`: expected until the motion is over, then owned (it is the disk), gone, left (it was seen there and nobody needs it),
-- possible (a motion that failed may have left it), unseen (the agent cannot tell), or removed.
CREATE TABLE `motion_file` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(40) NOT NULL,
    `migration_id` bigint unsigned NOT NULL,
    `volume_id` bigint unsigned NOT NULL,
    `role` varchar(8) NOT NULL,
    `host_id` bigint unsigned NOT NULL,
    `pool_id` bigint unsigned NOT NULL,
    `stem` varchar(255) NOT NULL,
    `state` varchar(16) NOT NULL,
    `bytes` bigint,
    `note` varchar(1024),
    `created` datetime NOT NULL,
    `updated` datetime NOT NULL
);
CREATE UNIQUE INDEX `uc_motion_file__uuid` ON `motion_file` (`uuid`);
CREATE INDEX `i_motion_file__migration_id` ON `motion_file` (`migration_id`);
CREATE INDEX `i_motion_file__state` ON `motion_file` (`state`);
CREATE INDEX `i_motion_file__pool_id` ON `motion_file` (`pool_id`, `stem`);
