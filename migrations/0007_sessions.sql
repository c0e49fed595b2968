-- Sessions of people who logged in. Neither the id nor the key of a session is kept, only their fingerprints: whoever
-- reads this table cannot take a session over. `secret` makes the key from the id, for sessions that were made here.
CREATE TABLE `motion_session` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `id_hash` char(64) NOT NULL,
    `key_hash` char(64) NOT NULL,
    `secret` varchar(64),
    `user_id` bigint unsigned NOT NULL,
    `second_factor` varchar(16) NOT NULL,
    `created` datetime NOT NULL,
    `last_used` datetime NOT NULL
);
CREATE UNIQUE INDEX `uc_motion_session__id_hash` ON `motion_session` (`id_hash`);
CREATE INDEX `i_motion_session__last_used` ON `motion_session` (`last_used`);
CREATE INDEX `i_motion_session__user_id` ON `motion_session` (`user_id`);
