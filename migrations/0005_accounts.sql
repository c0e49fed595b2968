-- Accounts, users and projects: members of projects, settings of single owners, limits and counts. CloudStack's tables, and
-- indexes for the questions that are asked of those that exist.
CREATE TABLE `project_account` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `account_id` bigint unsigned NOT NULL,
    `user_id` bigint unsigned,
    `account_role` varchar(255) NOT NULL DEFAULT 'Regular',
    `project_account_id` bigint unsigned NOT NULL,
    `project_id` bigint unsigned NOT NULL,
    `project_role_id` bigint unsigned,
    `created` datetime
);
CREATE INDEX `i_project_account__project_id` ON `project_account` (`project_id`);
CREATE INDEX `i_project_account__account_id` ON `project_account` (`account_id`);

CREATE TABLE `account_details` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `account_id` bigint unsigned NOT NULL,
    `name` varchar(255) NOT NULL,
    `value` varchar(4096) NOT NULL
);
CREATE INDEX `i_account_details__account_id` ON `account_details` (`account_id`);

CREATE TABLE `domain_details` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `domain_id` bigint unsigned NOT NULL,
    `name` varchar(255) NOT NULL,
    `value` varchar(4096) NOT NULL
);
CREATE INDEX `i_domain_details__domain_id` ON `domain_details` (`domain_id`);

CREATE TABLE `user_details` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `user_id` bigint unsigned NOT NULL,
    `name` varchar(255) NOT NULL,
    `value` varchar(1024) NOT NULL,
    `display` tinyint(1) NOT NULL DEFAULT 1
);
CREATE INDEX `i_user_details__user_id` ON `user_details` (`user_id`);

CREATE TABLE `resource_limit` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `domain_id` bigint unsigned,
    `account_id` bigint unsigned,
    `type` varchar(255),
    `max` bigint(20) NOT NULL DEFAULT -1,
    `tag` varchar(64)
);
CREATE INDEX `i_resource_limit__account_id` ON `resource_limit` (`account_id`);
CREATE INDEX `i_resource_limit__domain_id` ON `resource_limit` (`domain_id`);

CREATE TABLE `resource_count` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `account_id` bigint unsigned,
    `domain_id` bigint unsigned,
    `type` varchar(255),
    `count` bigint(20) NOT NULL DEFAULT 0,
    `tag` varchar(64)
);
CREATE INDEX `i_resource_count__account_id` ON `resource_count` (`account_id`);
CREATE INDEX `i_resource_count__domain_id` ON `resource_count` (`domain_id`);

CREATE INDEX `i_account__domain_id` ON `account` (`domain_id`);
CREATE INDEX `i_user__username` ON `user` (`username`);
CREATE INDEX `i_api_keypair_permissions__api_keypair_id` ON `api_keypair_permissions` (`api_keypair_id`);
