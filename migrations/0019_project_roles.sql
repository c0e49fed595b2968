-- Roles inside projects, and their rules: CloudStack's tables, which it has had since 4.15.
CREATE TABLE `project_role` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(255),
    `name` varchar(255),
    `removed` datetime,
    `description` text,
    `project_id` bigint unsigned
);
CREATE UNIQUE INDEX `uc_project_role__uuid` ON `project_role` (`uuid`);
CREATE INDEX `i_project_role__project_id` ON `project_role` (`project_id`);

CREATE TABLE `project_role_permissions` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(255),
    `project_id` bigint unsigned NOT NULL,
    `project_role_id` bigint unsigned NOT NULL,
    `rule` varchar(255) NOT NULL,
    `permission` varchar(255) NOT NULL,
    `description` text,
    `sort_order` bigint unsigned NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX `uc_project_role_permissions__uuid` ON `project_role_permissions` (`uuid`);
CREATE INDEX `i_project_role_permissions__project_role_id` ON `project_role_permissions` (`project_role_id`);
