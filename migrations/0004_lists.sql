-- What the lists need: tags of resources (CloudStack's table), and indexes that give a page and its count without a look
-- at the rows themselves.
CREATE TABLE `resource_tags` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(40),
    `key` varchar(255),
    `value` varchar(255),
    `resource_id` bigint unsigned NOT NULL,
    `resource_uuid` varchar(40),
    `resource_type` varchar(255),
    `customer` varchar(255),
    `domain_id` bigint unsigned NOT NULL,
    `account_id` bigint unsigned NOT NULL
);
CREATE UNIQUE INDEX `uc_resource_tags__uuid` ON `resource_tags` (`uuid`);
CREATE INDEX `i_resource_tags__resource_id` ON `resource_tags` (`resource_id`);

CREATE INDEX `i_volumes__page` ON `volumes` (`removed`, `created`, `id`, `data_center_id`, `account_id`, `domain_id`, `instance_id`);
CREATE INDEX `i_volumes__account_page` ON `volumes` (`account_id`, `removed`, `created`, `id`, `data_center_id`, `instance_id`);
CREATE INDEX `i_volumes__pool_page` ON `volumes` (`pool_id`, `removed`, `created`, `id`, `account_id`, `domain_id`, `instance_id`);
CREATE INDEX `i_volumes__state_page` ON `volumes` (`state`, `removed`, `created`, `id`, `account_id`, `domain_id`, `instance_id`);
CREATE INDEX `i_volumes__name` ON `volumes` (`name`);
CREATE INDEX `i_vm_instance__page` ON `vm_instance` (`removed`, `type`, `id`, `data_center_id`, `account_id`, `domain_id`, `state`);
CREATE INDEX `i_vm_instance__account_page` ON `vm_instance` (`account_id`, `removed`, `type`, `id`, `data_center_id`, `state`);
CREATE INDEX `i_vm_instance__host_page` ON `vm_instance` (`host_id`, `removed`, `type`, `id`, `account_id`, `domain_id`, `state`);
CREATE INDEX `i_vm_instance__state_page` ON `vm_instance` (`state`, `removed`, `type`, `id`, `account_id`, `domain_id`);
CREATE INDEX `i_vm_instance__name` ON `vm_instance` (`name`);
CREATE INDEX `i_host__name` ON `host` (`name`);
CREATE INDEX `i_storage_pool__name` ON `storage_pool` (`name`);
CREATE INDEX `i_volume_details__volume_id` ON `volume_details` (`volume_id`);
CREATE INDEX `i_op_host_capacity__capacity_type__host_id` ON `op_host_capacity` (`capacity_type`, `host_id`);
CREATE INDEX `i_service_offering__disk_offering_id` ON `service_offering` (`disk_offering_id`);
CREATE INDEX `i_projects__project_account_id` ON `projects` (`project_account_id`);
