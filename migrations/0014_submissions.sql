-- Submissions of jobs, so that one that is repeated gives the job that it gave before.

-- `digest` is the SHA-256 of command and parameters, `key_digest` that of the client's idempotency key. A job has one row for
-- its own submission, and one more for every other key that was given it. `running` repeats the digest of a job that must
-- not run twice at the same time, until it has ended: two that are submitted at once collide there.
CREATE TABLE `motion_submission` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `job_id` bigint unsigned NOT NULL,
    `account_id` bigint unsigned NOT NULL,
    `digest` varchar(64) NOT NULL,
    `key_digest` varchar(64),
    `running` varchar(64)
);
CREATE UNIQUE INDEX `uc_motion_submission__key` ON `motion_submission` (`account_id`, `key_digest`);
CREATE UNIQUE INDEX `uc_motion_submission__running` ON `motion_submission` (`account_id`, `running`);
CREATE INDEX `i_motion_submission__digest` ON `motion_submission` (`account_id`, `digest`);
CREATE INDEX `i_motion_submission__job_id` ON `motion_submission` (`job_id`);
