-- Several gateways on one database.

-- The gateways. `lease_until` is in milliseconds since 1970 by the database's clock: a gateway that lets it pass is taken for
-- dead, and its jobs are taken over. `epoch` counts the starts under one name: the latest is the one that counts.
CREATE TABLE `motion_node` (
    `id` bigint unsigned NOT NULL PRIMARY KEY,
    `uuid` varchar(40) NOT NULL,
    `name` varchar(255) NOT NULL,
    `epoch` bigint unsigned NOT NULL,
    `lease_until` bigint NOT NULL
);
CREATE UNIQUE INDEX `uc_motion_node__name` ON `motion_node` (`name`);

-- Who runs a job. `epoch` counts its claims; what an earlier claim still wants to write is refused. `writes` changes with every
-- transaction of the job, so that a claim and a write of the one before collide on every kind of cluster.
ALTER TABLE `motion_job` ADD COLUMN `node_id` bigint unsigned;
ALTER TABLE `motion_job` ADD COLUMN `epoch` bigint unsigned NOT NULL DEFAULT 0;
ALTER TABLE `motion_job` ADD COLUMN `writes` bigint unsigned NOT NULL DEFAULT 0;

-- What a job works on alone: `vm:<id>`, or `volume:<id>` for a volume that no VM uses. It is held until the job has ended.
CREATE TABLE `motion_lock` (
    `name` varchar(64) NOT NULL PRIMARY KEY,
    `job_id` bigint unsigned NOT NULL
);
CREATE INDEX `i_motion_lock__job_id` ON `motion_lock` (`job_id`);

-- One row per transaction, written as its last statement, so that a connection that is lost during the commit can be asked
-- about: what can be inserted again was not committed, and then never will be. Rows are dropped after an hour.
CREATE TABLE `motion_commit` (
    `id` varchar(40) NOT NULL PRIMARY KEY,
    `at` bigint NOT NULL
);
CREATE INDEX `i_motion_commit__at` ON `motion_commit` (`at`);
