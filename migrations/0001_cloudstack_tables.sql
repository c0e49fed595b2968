-- CloudStack's own tables, as many as the gateway needs, under their own names and with their own types
-- (contract: the `cloud` database of 4.23). One text for MySQL and SQLite: see `src/store/migrations.rs`
-- for the three words that are read differently by SQLite.

CREATE TABLE `data_center` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(255),
    `uuid` varchar(40),
    `description` varchar(255),
    `dns1` varchar(255) NOT NULL,
    `dns2` varchar(255),
    `internal_dns1` varchar(255) NOT NULL,
    `internal_dns2` varchar(255),
    `gateway` varchar(15),
    `netmask` varchar(15),
    `router_mac_address` varchar(17) NOT NULL DEFAULT '02:00:00:00:00:01',
    `mac_address` bigint unsigned NOT NULL DEFAULT 1,
    `guest_network_cidr` varchar(18),
    `domain` varchar(100),
    `domain_id` bigint unsigned,
    `networktype` varchar(255) NOT NULL DEFAULT 'Basic',
    `dns_provider` char(64) DEFAULT 'VirtualRouter',
    `gateway_provider` char(64) DEFAULT 'VirtualRouter',
    `firewall_provider` char(64) DEFAULT 'VirtualRouter',
    `dhcp_provider` char(64) DEFAULT 'VirtualRouter',
    `lb_provider` char(64) DEFAULT 'VirtualRouter',
    `vpn_provider` char(64) DEFAULT 'VirtualRouter',
    `userdata_provider` char(64) DEFAULT 'VirtualRouter',
    `allocation_state` varchar(32) NOT NULL DEFAULT 'Enabled',
    `zone_token` varchar(255),
    `is_security_group_enabled` tinyint(4) NOT NULL DEFAULT 0,
    `is_local_storage_enabled` tinyint(4) NOT NULL DEFAULT 0,
    `removed` datetime,
    `owner` varchar(255),
    `created` datetime,
    `lastUpdated` datetime,
    `engine_state` varchar(32) NOT NULL DEFAULT 'Disabled',
    `ip6_dns1` varchar(255),
    `ip6_dns2` varchar(255),
    `sort_key` int(32) NOT NULL DEFAULT 0,
    `type` varchar(32) DEFAULT 'Core',
    `storage_access_groups` varchar(255)
);

CREATE UNIQUE INDEX `uc_data_center__uuid` ON `data_center` (`uuid`);

CREATE TABLE `host_pod_ref` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(255),
    `uuid` varchar(40),
    `data_center_id` bigint unsigned NOT NULL,
    `gateway` varchar(255) NOT NULL,
    `cidr_address` varchar(15) NOT NULL,
    `cidr_size` bigint unsigned NOT NULL,
    `description` varchar(255),
    `allocation_state` varchar(32) NOT NULL DEFAULT 'Enabled',
    `external_dhcp` tinyint(4) NOT NULL DEFAULT 0,
    `removed` datetime,
    `owner` varchar(255),
    `created` datetime,
    `lastUpdated` datetime,
    `engine_state` varchar(32) NOT NULL DEFAULT 'Disabled',
    `storage_access_groups` varchar(255)
);

CREATE UNIQUE INDEX `uc_host_pod_ref__uuid` ON `host_pod_ref` (`uuid`);

CREATE TABLE `cluster` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(255),
    `uuid` varchar(40),
    `guid` varchar(255),
    `pod_id` bigint unsigned NOT NULL,
    `data_center_id` bigint unsigned NOT NULL,
    `hypervisor_type` varchar(32),
    `cluster_type` varchar(64) DEFAULT 'CloudManaged',
    `allocation_state` varchar(32) NOT NULL DEFAULT 'Enabled',
    `managed_state` varchar(32) NOT NULL DEFAULT 'Managed',
    `removed` datetime,
    `owner` varchar(255),
    `created` datetime,
    `lastUpdated` datetime,
    `engine_state` varchar(32) NOT NULL DEFAULT 'Disabled',
    `arch` varchar(8) DEFAULT 'x86_64',
    `storage_access_groups` varchar(255)
);

CREATE UNIQUE INDEX `uc_cluster__uuid` ON `cluster` (`uuid`);

CREATE UNIQUE INDEX `uc_cluster__guid` ON `cluster` (`guid`);

CREATE TABLE `cluster_details` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `cluster_id` bigint unsigned NOT NULL,
    `name` varchar(255) NOT NULL,
    `value` varchar(255) NOT NULL
);

CREATE TABLE `host` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(255) NOT NULL,
    `uuid` varchar(40),
    `status` varchar(32) NOT NULL,
    `type` varchar(32) NOT NULL,
    `private_ip_address` char(40) NOT NULL,
    `private_netmask` varchar(15),
    `private_mac_address` varchar(17),
    `storage_ip_address` char(40),
    `storage_netmask` varchar(15),
    `storage_mac_address` varchar(17),
    `storage_ip_address_2` char(40),
    `storage_mac_address_2` varchar(17),
    `storage_netmask_2` varchar(15),
    `cluster_id` bigint unsigned,
    `public_ip_address` char(40),
    `public_netmask` varchar(15),
    `public_mac_address` varchar(17),
    `proxy_port` int unsigned,
    `data_center_id` bigint unsigned NOT NULL,
    `pod_id` bigint unsigned,
    `cpu_sockets` int unsigned,
    `cpus` int unsigned,
    `speed` int unsigned,
    `url` varchar(255),
    `fs_type` varchar(32),
    `hypervisor_type` varchar(32),
    `hypervisor_version` varchar(32),
    `ram` bigint unsigned,
    `resource` varchar(255),
    `version` varchar(40) NOT NULL,
    `parent` varchar(255),
    `total_size` bigint unsigned,
    `capabilities` varchar(255),
    `guid` varchar(255),
    `available` int unsigned NOT NULL DEFAULT 1,
    `setup` int unsigned NOT NULL DEFAULT 0,
    `dom0_memory` bigint unsigned NOT NULL,
    `last_ping` int unsigned NOT NULL,
    `mgmt_server_id` bigint unsigned,
    `last_mgmt_server_id` bigint unsigned,
    `disconnected` datetime,
    `created` datetime,
    `removed` datetime,
    `update_count` bigint unsigned NOT NULL DEFAULT 0,
    `resource_state` varchar(32) NOT NULL DEFAULT 'Enabled',
    `owner` varchar(255),
    `lastUpdated` datetime,
    `engine_state` varchar(32) NOT NULL DEFAULT 'Disabled',
    `arch` varchar(8) DEFAULT 'x86_64',
    `storage_access_groups` varchar(255)
);

CREATE UNIQUE INDEX `uc_host__uuid` ON `host` (`uuid`);

CREATE UNIQUE INDEX `uc_host__guid` ON `host` (`guid`);

CREATE TABLE `host_details` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `host_id` bigint unsigned NOT NULL,
    `name` varchar(255) NOT NULL,
    `value` varchar(255) NOT NULL
);

CREATE TABLE `host_tags` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `host_id` bigint unsigned NOT NULL,
    `tag` text NOT NULL,
    `is_tag_a_rule` int unsigned NOT NULL DEFAULT 0,
    `is_implicit` int unsigned NOT NULL DEFAULT 0
);

CREATE TABLE `op_host_capacity` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `host_id` bigint unsigned,
    `data_center_id` bigint unsigned NOT NULL,
    `pod_id` bigint unsigned,
    `cluster_id` bigint unsigned,
    `used_capacity` bigint(20) NOT NULL,
    `reserved_capacity` bigint(20) NOT NULL,
    `total_capacity` bigint(20) NOT NULL,
    `capacity_type` int unsigned NOT NULL,
    `capacity_state` varchar(32) NOT NULL DEFAULT 'Enabled',
    `update_time` datetime,
    `created` datetime
);

CREATE TABLE `storage_pool` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(255),
    `uuid` varchar(255),
    `pool_type` varchar(32) NOT NULL,
    `port` int unsigned NOT NULL,
    `data_center_id` bigint unsigned NOT NULL,
    `pod_id` bigint unsigned,
    `cluster_id` bigint unsigned,
    `used_bytes` bigint unsigned,
    `capacity_bytes` bigint unsigned,
    `host_address` varchar(255) NOT NULL,
    `user_info` varchar(255),
    `path` varchar(255) NOT NULL,
    `created` datetime,
    `removed` datetime,
    `update_time` datetime,
    `status` varchar(32),
    `storage_provider_name` varchar(255),
    `scope` varchar(255),
    `hypervisor` varchar(32),
    `managed` tinyint unsigned NOT NULL DEFAULT 0,
    `capacity_iops` bigint unsigned,
    `parent` bigint unsigned NOT NULL DEFAULT 0,
    `used_iops` bigint unsigned
);

CREATE UNIQUE INDEX `uc_storage_pool__uuid` ON `storage_pool` (`uuid`);

CREATE TABLE `storage_pool_details` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `pool_id` bigint unsigned NOT NULL,
    `name` varchar(255) NOT NULL,
    `value` varchar(255) NOT NULL,
    `display` tinyint(1) NOT NULL DEFAULT 1
);

CREATE TABLE `storage_pool_tags` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `pool_id` bigint unsigned NOT NULL,
    `tag` text NOT NULL,
    `is_tag_a_rule` int unsigned NOT NULL DEFAULT 0
);

CREATE TABLE `storage_pool_host_ref` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `host_id` bigint unsigned NOT NULL,
    `pool_id` bigint unsigned NOT NULL,
    `created` datetime NOT NULL,
    `last_updated` datetime,
    `local_path` varchar(255)
);

CREATE TABLE `service_offering` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `cpu` int unsigned,
    `speed` int unsigned,
    `ram_size` bigint unsigned,
    `nw_rate` int unsigned DEFAULT 200,
    `mc_rate` int unsigned DEFAULT 10,
    `ha_enabled` tinyint unsigned NOT NULL DEFAULT 0,
    `limit_cpu_use` tinyint unsigned NOT NULL DEFAULT 0,
    `host_tag` varchar(255),
    `default_use` tinyint unsigned NOT NULL DEFAULT 0,
    `vm_type` varchar(32),
    `sort_key` int(32) NOT NULL DEFAULT 0,
    `is_volatile` tinyint unsigned NOT NULL DEFAULT 0,
    `deployment_planner` varchar(255),
    `dynamic_scaling_enabled` tinyint unsigned NOT NULL DEFAULT 1,
    `uuid` varchar(40),
    `name` varchar(255) NOT NULL,
    `display_text` varchar(4096),
    `unique_name` varchar(32),
    `customized` tinyint unsigned NOT NULL DEFAULT 0,
    `created` datetime,
    `removed` datetime,
    `state` char(40) NOT NULL DEFAULT 'Active',
    `disk_offering_id` bigint unsigned,
    `system_use` tinyint unsigned NOT NULL DEFAULT 0,
    `disk_offering_strictness` tinyint unsigned NOT NULL DEFAULT 0,
    `vgpu_profile_id` bigint unsigned,
    `gpu_count` int unsigned,
    `gpu_display` tinyint(1) DEFAULT 0
);

CREATE UNIQUE INDEX `uc_service_offering__uuid` ON `service_offering` (`uuid`);

CREATE TABLE `service_offering_details` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `service_offering_id` bigint unsigned NOT NULL,
    `name` varchar(255) NOT NULL,
    `value` text NOT NULL,
    `display` tinyint(1) NOT NULL DEFAULT 1
);

CREATE TABLE `disk_offering` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(255) NOT NULL,
    `uuid` varchar(40),
    `display_text` varchar(4096),
    `disk_size` bigint unsigned NOT NULL,
    `tags` varchar(4096),
    `recreatable` tinyint unsigned NOT NULL DEFAULT 0,
    `use_local_storage` tinyint unsigned NOT NULL DEFAULT 0,
    `unique_name` varchar(32),
    `customized` tinyint unsigned NOT NULL DEFAULT 0,
    `removed` datetime,
    `created` datetime,
    `sort_key` int(32) NOT NULL DEFAULT 0,
    `display_offering` tinyint(1) NOT NULL DEFAULT 1,
    `customized_iops` tinyint unsigned,
    `min_iops` bigint unsigned,
    `max_iops` bigint unsigned,
    `bytes_read_rate` bigint(20),
    `bytes_read_rate_max` bigint(20),
    `bytes_read_rate_max_length` bigint(20),
    `bytes_write_rate` bigint(20),
    `bytes_write_rate_max` bigint(20),
    `bytes_write_rate_max_length` bigint(20),
    `iops_read_rate` bigint(20),
    `iops_read_rate_max` bigint(20),
    `iops_read_rate_max_length` bigint(20),
    `iops_write_rate` bigint(20),
    `iops_write_rate_max` bigint(20),
    `iops_write_rate_max_length` bigint(20),
    `state` char(40) NOT NULL DEFAULT 'Active',
    `hv_ss_reserve` int unsigned,
    `cache_mode` varchar(18) DEFAULT 'none',
    `provisioning_type` varchar(32) NOT NULL DEFAULT 'thin',
    `disk_size_strictness` tinyint unsigned NOT NULL DEFAULT 0,
    `compute_only` tinyint unsigned NOT NULL DEFAULT 0,
    `encrypt` tinyint(1) DEFAULT 0
);

CREATE UNIQUE INDEX `uc_disk_offering__uuid` ON `disk_offering` (`uuid`);

CREATE UNIQUE INDEX `uc_disk_offering__unique_name` ON `disk_offering` (`unique_name`);

CREATE TABLE `disk_offering_details` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `offering_id` bigint unsigned NOT NULL,
    `name` varchar(255) NOT NULL,
    `value` varchar(1024) NOT NULL,
    `display` tinyint(1) NOT NULL DEFAULT 1
);

CREATE TABLE `vm_template` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `unique_name` varchar(255) NOT NULL,
    `name` varchar(255) NOT NULL,
    `uuid` varchar(40),
    `public` int unsigned NOT NULL,
    `featured` int unsigned NOT NULL,
    `type` varchar(32),
    `hvm` int unsigned NOT NULL,
    `bits` int unsigned NOT NULL,
    `url` varchar(1024),
    `format` varchar(32) NOT NULL,
    `created` datetime NOT NULL,
    `removed` datetime,
    `account_id` bigint unsigned NOT NULL,
    `checksum` varchar(255),
    `display_text` varchar(4096),
    `enable_password` int unsigned NOT NULL DEFAULT 1,
    `enable_sshkey` int unsigned NOT NULL DEFAULT 0,
    `guest_os_id` bigint unsigned NOT NULL,
    `bootable` int unsigned NOT NULL DEFAULT 1,
    `prepopulate` int unsigned NOT NULL DEFAULT 0,
    `cross_zones` int unsigned NOT NULL DEFAULT 0,
    `extractable` int unsigned NOT NULL DEFAULT 0,
    `hypervisor_type` varchar(32),
    `source_template_id` bigint unsigned,
    `template_tag` varchar(255),
    `sort_key` int(32) NOT NULL DEFAULT 0,
    `size` bigint unsigned,
    `state` varchar(255),
    `update_count` bigint unsigned,
    `updated` datetime,
    `dynamically_scalable` tinyint unsigned NOT NULL DEFAULT 0,
    `parent_template_id` bigint unsigned,
    `direct_download` tinyint(1) DEFAULT 0,
    `deploy_as_is` tinyint(1) NOT NULL DEFAULT 0,
    `user_data_id` bigint unsigned,
    `user_data_link_policy` varchar(255),
    `arch` varchar(8) DEFAULT 'x86_64',
    `for_cks` int unsigned DEFAULT 0,
    `extension_id` bigint unsigned
);

CREATE UNIQUE INDEX `uc_vm_template__uuid` ON `vm_template` (`uuid`);

CREATE TABLE `guest_os` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `category_id` bigint unsigned NOT NULL,
    `name` varchar(255),
    `uuid` varchar(40),
    `display_name` varchar(255) NOT NULL,
    `created` datetime,
    `removed` datetime,
    `is_user_defined` int unsigned DEFAULT 0,
    `display` tinyint(1) DEFAULT 1
);

CREATE UNIQUE INDEX `uc_guest_os__uuid` ON `guest_os` (`uuid`);

CREATE TABLE `guest_os_category` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(255) NOT NULL,
    `uuid` varchar(40),
    `featured` tinyint(1) NOT NULL DEFAULT 0,
    `sort_key` int(11) NOT NULL DEFAULT 0,
    `created` datetime,
    `removed` datetime
);

CREATE UNIQUE INDEX `uc_guest_os_category__uuid` ON `guest_os_category` (`uuid`);

CREATE TABLE `vm_instance` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(255) NOT NULL,
    `uuid` varchar(40),
    `instance_name` varchar(255) NOT NULL,
    `state` varchar(32) NOT NULL,
    `vm_template_id` bigint unsigned,
    `guest_os_id` bigint unsigned NOT NULL,
    `private_mac_address` varchar(17),
    `private_ip_address` char(40),
    `pod_id` bigint unsigned,
    `data_center_id` bigint unsigned NOT NULL,
    `host_id` bigint unsigned,
    `last_host_id` bigint unsigned,
    `proxy_id` bigint unsigned,
    `proxy_assign_time` datetime,
    `vnc_password` varchar(255) NOT NULL,
    `ha_enabled` tinyint(1) NOT NULL DEFAULT 0,
    `limit_cpu_use` tinyint unsigned NOT NULL DEFAULT 0,
    `update_count` bigint unsigned NOT NULL DEFAULT 0,
    `update_time` datetime,
    `created` datetime NOT NULL,
    `removed` datetime,
    `type` varchar(32) NOT NULL,
    `vm_type` varchar(32) NOT NULL,
    `account_id` bigint unsigned NOT NULL,
    `domain_id` bigint unsigned NOT NULL,
    `service_offering_id` bigint unsigned NOT NULL,
    `reservation_id` char(40),
    `hypervisor_type` char(32),
    `owner` varchar(255),
    `host_name` varchar(255),
    `display_name` varchar(255),
    `desired_state` varchar(32),
    `dynamically_scalable` tinyint unsigned NOT NULL DEFAULT 0,
    `display_vm` tinyint(1) NOT NULL DEFAULT 1,
    `power_state` varchar(74) DEFAULT 'PowerUnknown',
    `power_state_update_time` datetime,
    `power_state_update_count` int(11) DEFAULT 0,
    `power_host` bigint unsigned,
    `user_id` bigint unsigned NOT NULL DEFAULT 1,
    `backup_offering_id` bigint unsigned,
    `backup_external_id` varchar(255),
    `backup_volumes` text,
    `delete_protection` tinyint(1) DEFAULT 0
);

CREATE UNIQUE INDEX `uc_vm_instance__uuid` ON `vm_instance` (`uuid`);

CREATE TABLE `user_vm` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `iso_id` bigint unsigned,
    `display_name` varchar(255),
    `user_data` mediumtext,
    `user_data_id` bigint unsigned,
    `user_data_details` mediumtext,
    `update_parameters` tinyint(1) NOT NULL DEFAULT 1,
    `user_vm_type` varchar(255) DEFAULT 'UserVM'
);

CREATE TABLE `vm_instance_details` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `vm_id` bigint unsigned NOT NULL,
    `name` varchar(255) NOT NULL,
    `value` varchar(5120) NOT NULL,
    `display` tinyint(1) NOT NULL DEFAULT 1
);

CREATE TABLE `nics` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(40),
    `instance_id` bigint unsigned,
    `mac_address` varchar(17),
    `ip4_address` char(40),
    `netmask` varchar(15),
    `gateway` varchar(15),
    `ip_type` varchar(32),
    `broadcast_uri` varchar(255),
    `network_id` bigint unsigned NOT NULL,
    `mode` varchar(32),
    `state` varchar(32) NOT NULL,
    `strategy` varchar(32) NOT NULL,
    `reserver_name` varchar(255),
    `reservation_id` varchar(64),
    `device_id` int(10),
    `update_time` timestamp DEFAULT CURRENT_TIMESTAMP,
    `isolation_uri` varchar(255),
    `ip6_address` char(40),
    `default_nic` tinyint(4) NOT NULL,
    `vm_type` varchar(32),
    `created` datetime NOT NULL,
    `removed` datetime,
    `ip6_gateway` varchar(50),
    `ip6_cidr` varchar(50),
    `secondary_ip` smallint(6) DEFAULT 0,
    `display_nic` tinyint(1) NOT NULL DEFAULT 1,
    `mtu` bigint unsigned,
    `enabled` tinyint(1) NOT NULL DEFAULT 1
);

CREATE UNIQUE INDEX `uc_nics__uuid` ON `nics` (`uuid`);

CREATE TABLE `networks` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(255),
    `uuid` varchar(40),
    `display_text` varchar(255),
    `traffic_type` varchar(32) NOT NULL,
    `broadcast_domain_type` varchar(32) NOT NULL,
    `broadcast_uri` varchar(255),
    `gateway` varchar(255),
    `cidr` varchar(255),
    `mode` varchar(32),
    `network_offering_id` bigint unsigned NOT NULL,
    `physical_network_id` bigint unsigned,
    `data_center_id` bigint unsigned NOT NULL,
    `guru_name` varchar(255) NOT NULL,
    `state` varchar(32) NOT NULL,
    `related` bigint unsigned NOT NULL,
    `domain_id` bigint unsigned NOT NULL,
    `account_id` bigint unsigned NOT NULL,
    `dns1` varchar(255),
    `dns2` varchar(255),
    `ip6dns1` varchar(255),
    `ip6dns2` varchar(255),
    `guru_data` varchar(1024),
    `set_fields` bigint unsigned NOT NULL DEFAULT 0,
    `acl_type` varchar(15),
    `network_domain` varchar(255),
    `reservation_id` char(40),
    `guest_type` char(32),
    `restart_required` int unsigned NOT NULL DEFAULT 0,
    `created` datetime NOT NULL,
    `removed` datetime,
    `specify_ip_ranges` int unsigned NOT NULL DEFAULT 0,
    `vpc_id` bigint unsigned,
    `ip6_gateway` varchar(1024),
    `ip6_cidr` varchar(1024),
    `network_cidr` varchar(18),
    `display_network` tinyint(1) NOT NULL DEFAULT 1,
    `network_acl_id` bigint unsigned,
    `streched_l2` tinyint(1) DEFAULT 0,
    `redundant` tinyint(1) DEFAULT 0,
    `external_id` varchar(255),
    `public_mtu` bigint unsigned,
    `private_mtu` bigint unsigned,
    `keep_mac_address_on_public_nic` tinyint(1) NOT NULL DEFAULT 1
);

CREATE UNIQUE INDEX `uc_networks__uuid` ON `networks` (`uuid`);

CREATE TABLE `volumes` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `account_id` bigint unsigned NOT NULL,
    `domain_id` bigint unsigned NOT NULL,
    `pool_id` bigint unsigned,
    `last_pool_id` bigint unsigned,
    `instance_id` bigint unsigned,
    `device_id` bigint unsigned,
    `name` varchar(255),
    `uuid` varchar(40),
    `size` bigint unsigned NOT NULL,
    `folder` varchar(255),
    `path` varchar(255),
    `pod_id` bigint unsigned,
    `data_center_id` bigint unsigned NOT NULL,
    `iscsi_name` varchar(255),
    `host_ip` char(40),
    `volume_type` varchar(64) NOT NULL,
    `pool_type` varchar(64),
    `disk_offering_id` bigint unsigned NOT NULL,
    `template_id` bigint unsigned,
    `first_snapshot_backup_uuid` varchar(255),
    `recreatable` tinyint unsigned NOT NULL DEFAULT 0,
    `created` datetime,
    `attached` datetime,
    `updated` datetime,
    `removed` datetime,
    `state` varchar(32),
    `chain_info` text,
    `update_count` bigint unsigned NOT NULL DEFAULT 0,
    `disk_type` varchar(255),
    `vm_snapshot_chain_size` bigint unsigned,
    `iso_id` bigint unsigned,
    `display_volume` tinyint(1) NOT NULL DEFAULT 1,
    `format` varchar(255),
    `min_iops` bigint unsigned,
    `max_iops` bigint unsigned,
    `hv_ss_reserve` int unsigned,
    `provisioning_type` varchar(32) NOT NULL DEFAULT 'thin',
    `external_uuid` varchar(40),
    `passphrase_id` bigint unsigned,
    `encrypt_format` varchar(64),
    `delete_protection` tinyint(1) DEFAULT 0,
    `last_id` bigint unsigned,
    `kms_key_id` bigint unsigned,
    `kms_wrapped_key_id` bigint unsigned
);

CREATE UNIQUE INDEX `uc_volumes__uuid` ON `volumes` (`uuid`);

CREATE TABLE `volume_details` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `volume_id` bigint unsigned NOT NULL,
    `name` varchar(255) NOT NULL,
    `value` varchar(1024) NOT NULL,
    `display` tinyint(1) NOT NULL DEFAULT 1
);

CREATE TABLE `snapshots` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `data_center_id` bigint unsigned NOT NULL,
    `account_id` bigint unsigned NOT NULL,
    `domain_id` bigint unsigned NOT NULL,
    `volume_id` bigint unsigned NOT NULL,
    `disk_offering_id` bigint unsigned NOT NULL,
    `status` varchar(32),
    `path` varchar(255),
    `name` varchar(255) NOT NULL,
    `uuid` varchar(40),
    `snapshot_type` int(4) NOT NULL,
    `type_description` varchar(25),
    `size` bigint unsigned NOT NULL,
    `created` datetime,
    `removed` datetime,
    `backup_snap_id` varchar(255),
    `swift_id` bigint unsigned,
    `sechost_id` bigint unsigned,
    `prev_snap_id` bigint unsigned,
    `hypervisor_type` varchar(32) NOT NULL,
    `version` varchar(32),
    `min_iops` bigint unsigned,
    `max_iops` bigint unsigned,
    `location_type` varchar(32)
);

CREATE UNIQUE INDEX `uc_snapshots__uuid` ON `snapshots` (`uuid`);

CREATE TABLE `vm_snapshots` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(40) NOT NULL,
    `name` varchar(255) NOT NULL,
    `display_name` varchar(255),
    `description` varchar(255),
    `vm_id` bigint unsigned NOT NULL,
    `account_id` bigint unsigned NOT NULL,
    `domain_id` bigint unsigned NOT NULL,
    `service_offering_id` bigint unsigned NOT NULL,
    `vm_snapshot_type` varchar(32),
    `state` varchar(32) NOT NULL,
    `parent` bigint unsigned,
    `current` int unsigned,
    `update_count` bigint unsigned NOT NULL DEFAULT 0,
    `updated` datetime,
    `created` datetime,
    `removed` datetime
);

CREATE UNIQUE INDEX `uc_vm_snapshots__uuid` ON `vm_snapshots` (`uuid`);

CREATE TABLE `affinity_group` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(191) NOT NULL,
    `type` varchar(255) NOT NULL,
    `uuid` varchar(40),
    `description` varchar(4096),
    `domain_id` bigint unsigned NOT NULL,
    `account_id` bigint unsigned NOT NULL,
    `acl_type` varchar(15) NOT NULL
);

CREATE UNIQUE INDEX `uc_affinity_group__uuid` ON `affinity_group` (`uuid`);

CREATE TABLE `affinity_group_vm_map` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `affinity_group_id` bigint unsigned NOT NULL,
    `instance_id` bigint unsigned NOT NULL
);

CREATE TABLE `domain` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `parent` bigint unsigned,
    `name` varchar(255),
    `uuid` varchar(40),
    `owner` bigint unsigned NOT NULL,
    `path` varchar(255) NOT NULL,
    `level` int(10) NOT NULL DEFAULT 0,
    `child_count` int(10) NOT NULL DEFAULT 0,
    `next_child_seq` bigint unsigned NOT NULL DEFAULT 1,
    `created` datetime,
    `removed` datetime,
    `state` char(32) NOT NULL DEFAULT 'Active',
    `network_domain` varchar(255),
    `type` varchar(255) NOT NULL DEFAULT 'Normal'
);

CREATE UNIQUE INDEX `uc_domain__uuid` ON `domain` (`uuid`);

CREATE TABLE `account` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `account_name` varchar(100),
    `uuid` varchar(40),
    `type` int unsigned NOT NULL,
    `role_id` bigint unsigned,
    `domain_id` bigint unsigned,
    `state` varchar(10) NOT NULL DEFAULT 'enabled',
    `created` datetime,
    `removed` datetime,
    `cleanup_needed` tinyint(1) NOT NULL DEFAULT 0,
    `network_domain` varchar(255),
    `default_zone_id` bigint unsigned,
    `default` int unsigned NOT NULL DEFAULT 0,
    `api_key_access` tinyint(1)
);

CREATE UNIQUE INDEX `uc_account__uuid` ON `account` (`uuid`);

CREATE TABLE `user` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(40),
    `username` varchar(255) NOT NULL,
    `password` varchar(255) NOT NULL,
    `account_id` bigint unsigned NOT NULL,
    `firstname` varchar(255),
    `lastname` varchar(255),
    `email` varchar(255),
    `state` varchar(10) NOT NULL DEFAULT 'enabled',
    `api_key_access` tinyint(1),
    `created` datetime NOT NULL,
    `removed` datetime,
    `timezone` varchar(30),
    `registration_token` varchar(255),
    `is_registered` tinyint(4) NOT NULL DEFAULT 0,
    `incorrect_login_attempts` int unsigned NOT NULL DEFAULT 0,
    `default` int unsigned NOT NULL DEFAULT 0,
    `source` varchar(40) NOT NULL DEFAULT 'UNKNOWN',
    `external_entity` text,
    `is_user_2fa_enabled` tinyint(4) NOT NULL DEFAULT 0,
    `key_for_2fa` varchar(255),
    `user_2fa_provider` varchar(255)
);

CREATE UNIQUE INDEX `uc_user__uuid` ON `user` (`uuid`);

CREATE TABLE `roles` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(255),
    `name` varchar(255),
    `role_type` varchar(255) NOT NULL,
    `removed` datetime,
    `description` text,
    `is_default` tinyint(1) NOT NULL DEFAULT 0,
    `public_role` tinyint(1) NOT NULL DEFAULT 1,
    `state` varchar(10) NOT NULL DEFAULT 'enabled'
);

CREATE UNIQUE INDEX `uc_roles__uuid` ON `roles` (`uuid`);

CREATE TABLE `role_permissions` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(255),
    `role_id` bigint unsigned NOT NULL,
    `rule` varchar(255) NOT NULL,
    `permission` varchar(255) NOT NULL,
    `description` text,
    `sort_order` bigint unsigned NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX `uc_role_permissions__uuid` ON `role_permissions` (`uuid`);

CREATE TABLE `api_keypair` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(40) NOT NULL,
    `name` varchar(255) NOT NULL,
    `domain_id` bigint unsigned NOT NULL,
    `account_id` bigint unsigned NOT NULL,
    `user_id` bigint unsigned NOT NULL,
    `start_date` datetime,
    `end_date` datetime,
    `description` varchar(1024),
    `api_key` varchar(255) NOT NULL,
    `secret_key` varchar(255) NOT NULL,
    `created` datetime NOT NULL,
    `removed` datetime
);

CREATE UNIQUE INDEX `uc_api_keypair__uuid` ON `api_keypair` (`uuid`);

CREATE TABLE `api_keypair_permissions` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(40),
    `sort_order` bigint unsigned NOT NULL DEFAULT 0,
    `rule` varchar(255) NOT NULL,
    `api_keypair_id` bigint unsigned NOT NULL,
    `permission` varchar(255) NOT NULL,
    `description` varchar(255)
);

CREATE UNIQUE INDEX `uc_api_keypair_permissions__uuid` ON `api_keypair_permissions` (`uuid`);

CREATE TABLE `projects` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(255),
    `uuid` varchar(40),
    `display_text` varchar(255),
    `project_account_id` bigint unsigned NOT NULL,
    `domain_id` bigint unsigned NOT NULL,
    `created` datetime,
    `removed` datetime,
    `state` varchar(255) NOT NULL
);

CREATE UNIQUE INDEX `uc_projects__uuid` ON `projects` (`uuid`);

CREATE TABLE `async_job` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `user_id` bigint unsigned NOT NULL,
    `account_id` bigint unsigned NOT NULL,
    `instance_type` varchar(64),
    `instance_id` bigint unsigned,
    `job_cmd` varchar(255),
    `job_cmd_info` text,
    `job_cmd_ver` int(1),
    `job_status` int(1),
    `job_process_status` int(1),
    `job_result_code` int(1),
    `job_result` text,
    `job_init_msid` bigint(20),
    `job_complete_msid` bigint(20),
    `created` datetime,
    `last_updated` datetime,
    `last_polled` datetime,
    `removed` datetime,
    `uuid` varchar(40),
    `related` char(40) NOT NULL,
    `job_type` varchar(32),
    `job_dispatcher` varchar(64),
    `job_executing_msid` bigint(20),
    `job_pending_signals` int(10) NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX `uc_async_job__uuid` ON `async_job` (`uuid`);

CREATE TABLE `event` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(40),
    `type` varchar(50) NOT NULL,
    `state` varchar(32) NOT NULL DEFAULT 'Completed',
    `description` varchar(1024) NOT NULL,
    `user_id` bigint unsigned NOT NULL,
    `account_id` bigint unsigned NOT NULL,
    `domain_id` bigint unsigned NOT NULL,
    `resource_id` bigint unsigned,
    `resource_type` varchar(32),
    `created` datetime NOT NULL,
    `level` varchar(16) NOT NULL,
    `start_id` bigint unsigned NOT NULL DEFAULT 0,
    `parameters` varchar(1024),
    `archived` tinyint unsigned NOT NULL DEFAULT 0,
    `display` tinyint(1) NOT NULL DEFAULT 1
);

CREATE UNIQUE INDEX `uc_event__uuid` ON `event` (`uuid`);

CREATE TABLE `alert` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(40),
    `type` int unsigned NOT NULL,
    `cluster_id` bigint unsigned,
    `pod_id` bigint unsigned,
    `data_center_id` bigint unsigned NOT NULL,
    `subject` varchar(999),
    `sent_count` int unsigned NOT NULL,
    `created` datetime,
    `last_sent` datetime,
    `resolved` datetime,
    `archived` tinyint unsigned NOT NULL DEFAULT 0,
    `name` varchar(255),
    `content` varchar(5000)
);

CREATE UNIQUE INDEX `uc_alert__uuid` ON `alert` (`uuid`);

CREATE TABLE `usage_event` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `type` varchar(32) NOT NULL,
    `account_id` bigint unsigned NOT NULL,
    `created` datetime NOT NULL,
    `zone_id` bigint unsigned NOT NULL,
    `resource_id` bigint unsigned,
    `resource_name` varchar(255),
    `offering_id` bigint unsigned,
    `template_id` bigint unsigned,
    `size` bigint unsigned,
    `resource_type` varchar(32),
    `processed` tinyint(4) NOT NULL DEFAULT 0,
    `virtual_size` bigint unsigned,
    `vm_id` bigint unsigned
);

CREATE TABLE `configuration` (
    `category` varchar(255) NOT NULL DEFAULT 'Advanced',
    `instance` varchar(255) NOT NULL,
    `component` varchar(255) NOT NULL DEFAULT 'management-server',
    `name` varchar(255) NOT NULL PRIMARY KEY,
    `value` text,
    `description` varchar(1024),
    `default_value` text,
    `updated` datetime,
    `is_dynamic` tinyint(1) NOT NULL DEFAULT 0,
    `group_id` bigint unsigned DEFAULT 1,
    `subgroup_id` bigint unsigned DEFAULT 1,
    `parent` varchar(255),
    `display_text` varchar(255),
    `kind` varchar(255),
    `options` varchar(255),
    `scope` bigint(20) NOT NULL DEFAULT 0
);

CREATE TABLE `hypervisor_capabilities` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `uuid` varchar(40),
    `hypervisor_type` varchar(32) NOT NULL,
    `hypervisor_version` varchar(32),
    `max_guests_limit` bigint unsigned DEFAULT 50,
    `security_group_enabled` int unsigned DEFAULT 1,
    `max_data_volumes_limit` int unsigned DEFAULT 6,
    `max_hosts_per_cluster` int unsigned,
    `storage_motion_supported` int unsigned DEFAULT 0,
    `vm_snapshot_enabled` tinyint(1) NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX `uc_hypervisor_capabilities__uuid` ON `hypervisor_capabilities` (`uuid`);

CREATE TABLE `mshost` (
    `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `msid` bigint unsigned NOT NULL,
    `runid` bigint(20) NOT NULL DEFAULT 0,
    `name` varchar(255),
    `uuid` varchar(40),
    `state` varchar(25),
    `version` varchar(255),
    `service_ip` char(40) NOT NULL,
    `service_port` int(11) NOT NULL,
    `last_update` datetime,
    `removed` datetime,
    `alert_count` int(11) NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX `uc_mshost__msid` ON `mshost` (`msid`);

CREATE UNIQUE INDEX `uc_mshost__uuid` ON `mshost` (`uuid`);

CREATE TABLE `op_it_work` (
    `id` char(40) NOT NULL PRIMARY KEY,
    `mgmt_server_id` bigint unsigned,
    `created_at` bigint unsigned NOT NULL,
    `thread` varchar(255) NOT NULL,
    `type` char(32) NOT NULL,
    `vm_type` char(32) NOT NULL,
    `step` char(32) NOT NULL,
    `updated_at` bigint unsigned NOT NULL,
    `instance_id` bigint unsigned NOT NULL,
    `resource_type` char(32),
    `resource_id` bigint unsigned
);

CREATE INDEX `i_volumes__instance_id` ON `volumes` (`instance_id`);

CREATE INDEX `i_volumes__pool_id` ON `volumes` (`pool_id`);

CREATE INDEX `i_volumes__state` ON `volumes` (`state`);

CREATE INDEX `i_volumes__account_id__id` ON `volumes` (`account_id`, `id`);

CREATE INDEX `i_volumes__removed__id` ON `volumes` (`removed`, `id`);

CREATE INDEX `i_volumes__last_id` ON `volumes` (`last_id`);

CREATE INDEX `i_vm_instance__host_id__state` ON `vm_instance` (`host_id`, `state`);

CREATE INDEX `i_vm_instance__state` ON `vm_instance` (`state`);

CREATE INDEX `i_vm_instance__account_id__id` ON `vm_instance` (`account_id`, `id`);

CREATE INDEX `i_vm_instance__instance_name` ON `vm_instance` (`instance_name`);

CREATE INDEX `i_vm_instance__removed__id` ON `vm_instance` (`removed`, `id`);

CREATE INDEX `i_vm_instance__last_host_id` ON `vm_instance` (`last_host_id`);

CREATE INDEX `i_host__cluster_id` ON `host` (`cluster_id`);

CREATE INDEX `i_host__data_center_id` ON `host` (`data_center_id`);

CREATE INDEX `i_storage_pool__cluster_id` ON `storage_pool` (`cluster_id`);

CREATE INDEX `i_storage_pool__data_center_id` ON `storage_pool` (`data_center_id`);

CREATE INDEX `i_op_host_capacity__host_id__capacity_type` ON `op_host_capacity` (`host_id`, `capacity_type`);

CREATE INDEX `i_async_job__job_status__id` ON `async_job` (`job_status`, `id`);

CREATE INDEX `i_async_job__instance_type__instance_id` ON `async_job` (`instance_type`, `instance_id`);

CREATE INDEX `i_async_job__account_id__job_status` ON `async_job` (`account_id`, `job_status`);

CREATE INDEX `i_event__created` ON `event` (`created`);

CREATE INDEX `i_event__account_id` ON `event` (`account_id`);

CREATE INDEX `i_event__type` ON `event` (`type`);

CREATE INDEX `i_alert__created` ON `alert` (`created`);

CREATE INDEX `i_storage_pool_host_ref__pool_id__host_id` ON `storage_pool_host_ref` (`pool_id`, `host_id`);

CREATE INDEX `i_storage_pool_host_ref__host_id` ON `storage_pool_host_ref` (`host_id`);

CREATE INDEX `i_storage_pool_tags__pool_id` ON `storage_pool_tags` (`pool_id`);

CREATE INDEX `i_storage_pool_details__pool_id` ON `storage_pool_details` (`pool_id`);

CREATE INDEX `i_host_tags__host_id` ON `host_tags` (`host_id`);

CREATE INDEX `i_host_details__host_id` ON `host_details` (`host_id`);

CREATE INDEX `i_cluster_details__cluster_id` ON `cluster_details` (`cluster_id`);

CREATE INDEX `i_service_offering_details__service_offering_id` ON `service_offering_details` (`service_offering_id`);

CREATE INDEX `i_vm_instance_details__vm_id` ON `vm_instance_details` (`vm_id`);

CREATE INDEX `i_nics__instance_id` ON `nics` (`instance_id`);

CREATE INDEX `i_vm_snapshots__vm_id` ON `vm_snapshots` (`vm_id`);

CREATE INDEX `i_snapshots__volume_id` ON `snapshots` (`volume_id`);

CREATE INDEX `i_affinity_group_vm_map__instance_id` ON `affinity_group_vm_map` (`instance_id`);

CREATE INDEX `i_role_permissions__role_id` ON `role_permissions` (`role_id`);

CREATE INDEX `i_user__account_id` ON `user` (`account_id`);

CREATE INDEX `i_api_keypair__api_key` ON `api_keypair` (`api_key`);

CREATE INDEX `i_api_keypair__user_id` ON `api_keypair` (`user_id`);

CREATE INDEX `i_domain__path` ON `domain` (`path`);

CREATE INDEX `i_account__account_name` ON `account` (`account_name`);

CREATE UNIQUE INDEX `uc_hypervisor` ON `hypervisor_capabilities` (`hypervisor_type`, `hypervisor_version`);
