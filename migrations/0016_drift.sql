-- Where the database and the hosts were found to differ. A row is written once for each thing that differs and looks the same:
-- `mark` says how it looks. `open_key` names the thing as long as the row speaks of it, open or dismissed, so that there is one
-- row at a time; it is NULL when that is over. `resolution`: accepted, dismissed, vanished.
CREATE TABLE `motion_drift` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(40) NOT NULL,
    `kind` varchar(32) NOT NULL,
    `open_key` varchar(128),
    `mark` varchar(512) NOT NULL,
    `vm_id` bigint unsigned NOT NULL,
    `volume_id` bigint unsigned,
    `host_id` bigint unsigned NOT NULL,
    `found_host_id` bigint unsigned,
    `pool_id` bigint unsigned,
    `found_pool_id` bigint unsigned,
    `database_says` varchar(1024) NOT NULL,
    `host_says` varchar(1024) NOT NULL,
    `first_seen` datetime NOT NULL,
    `last_seen` datetime NOT NULL,
    `resolved_at` datetime,
    `resolution` varchar(16),
    `resolved_by` bigint unsigned,
    `resolved_job_id` bigint unsigned,
    `note` varchar(1024)
);
CREATE UNIQUE INDEX `uc_motion_drift__uuid` ON `motion_drift` (`uuid`);
CREATE UNIQUE INDEX `uc_motion_drift__open_key` ON `motion_drift` (`open_key`);
CREATE INDEX `i_motion_drift__vm_id` ON `motion_drift` (`vm_id`);
