-- The latest time step whose code a user has shown as second factor. A code is good once, through whatever gateway it comes.
CREATE TABLE `motion_second_factor` (
    `user_id` bigint unsigned NOT NULL PRIMARY KEY,
    `step` bigint unsigned NOT NULL
);
