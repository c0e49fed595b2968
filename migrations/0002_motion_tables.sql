-- The gateway's own tables. They stand beside CloudStack's and are never read by it.

-- One row per motion: what is being moved where, written before anything is sent to a host.
-- `phase`: planned, marked, sent, answered, settled. `outcome`: done, not-done, unknown (NULL while it runs).
CREATE TABLE `motion_migration` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(40) NOT NULL,
    `job_id` bigint unsigned NOT NULL,
    `kind` varchar(32) NOT NULL,
    `strategy` varchar(64) NOT NULL,
    `phase` varchar(16) NOT NULL,
    `outcome` varchar(16),
    `vm_id` bigint unsigned,
    `vm_name` varchar(255),
    `source_host_id` bigint unsigned,
    `target_host_id` bigint unsigned,
    `bytes_total` bigint(20) NOT NULL DEFAULT 0,
    `bytes_done` bigint(20) NOT NULL DEFAULT 0,
    `reason` varchar(4096),
    `verified` varchar(1024),
    `owner` varchar(64),
    `created` datetime NOT NULL,
    `sent_at` datetime,
    `updated` datetime NOT NULL,
    `ended` datetime
);
CREATE UNIQUE INDEX `uc_motion_migration__uuid` ON `motion_migration` (`uuid`);
CREATE INDEX `i_motion_migration__job_id` ON `motion_migration` (`job_id`);
CREATE INDEX `i_motion_migration__phase` ON `motion_migration` (`phase`);
CREATE INDEX `i_motion_migration__vm_id` ON `motion_migration` (`vm_id`);

-- The disks of a motion: where each was, where it is meant to go, and where it was found afterwards.
CREATE TABLE `motion_disk` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `migration_id` bigint unsigned NOT NULL,
    `volume_id` bigint unsigned NOT NULL,
    `copy_volume_id` bigint unsigned,
    `stem` varchar(255) NOT NULL,
    `source_pool_id` bigint unsigned NOT NULL,
    `target_pool_id` bigint unsigned NOT NULL,
    `disk_offering_id` bigint unsigned,
    `found_pool_id` bigint unsigned,
    `verdict` varchar(16)
);
CREATE INDEX `i_motion_disk__migration_id` ON `motion_disk` (`migration_id`);
CREATE INDEX `i_motion_disk__volume_id` ON `motion_disk` (`volume_id`);

-- What a job needs beside CloudStack's row: the API name and parameters that it runs with, who waits for it.
CREATE TABLE `motion_job` (
    `job_id` bigint unsigned NOT NULL PRIMARY KEY,
    `command` varchar(255) NOT NULL,
    `parameters` mediumtext NOT NULL,
    `start_event_id` bigint unsigned,
    `request_id` varchar(64) NOT NULL
);

-- Certificates of agents, pinned on first use or by configuration: address and port, and the SHA-256 of the certificate.
CREATE TABLE `motion_pin` (
    `address` varchar(191) NOT NULL PRIMARY KEY,
    `fingerprint` varchar(95) NOT NULL,
    `created` datetime NOT NULL
);

-- The last load that a host's agent reported.
CREATE TABLE `motion_host_load` (
    `host_id` bigint unsigned NOT NULL PRIMARY KEY,
    `cpu_percent` double NOT NULL,
    `memory_bytes` bigint NOT NULL,
    `free_memory_bytes` bigint NOT NULL,
    `received_bytes` bigint NOT NULL,
    `sent_bytes` bigint NOT NULL,
    `updated` datetime NOT NULL
);

-- Stopped VMs whose disks are being moved, one after the other, by a job: the job that put the VM into `Migrating`.
CREATE TABLE `motion_stopped_vm` (
    `vm_id` bigint unsigned NOT NULL PRIMARY KEY,
    `job_id` bigint unsigned NOT NULL
);
