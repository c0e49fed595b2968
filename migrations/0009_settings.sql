-- The settings of CloudStack that the gateway goes by, with CloudStack's defaults. A value of NULL means the default. Rows
-- that are there already stay as they are.
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'VolumeApiService', 'concurrent.migrations.per.target.datastore', 'How many disks may be on their way to one pool at a time; 0 or less for as many as are wanted.', '0', 1, 1, 1, NULL, 1
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'concurrent.migrations.per.target.datastore');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'CapacityManager', 'pool.storage.capacity.disablethreshold', 'The share of a pool that may be used before no more disks are moved to it.', '0.85', 1, 9, 36, NULL, 10
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'pool.storage.capacity.disablethreshold');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'CapacityManager', 'pool.storage.allocated.capacity.disablethreshold', 'The share of a pool, over-promising counted in, that may be promised before no more disks are moved to it.', '0.85', 1, 9, 36, NULL, 10
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'pool.storage.allocated.capacity.disablethreshold');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Storage', 'DEFAULT', 'CapacityManager', 'storage.overprovisioning.factor', 'How many times the space of a pool may be promised.', '2', 1, 9, 36, NULL, 8
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'storage.overprovisioning.factor');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Alert', 'DEFAULT', 'AlertManager', 'cluster.cpu.allocated.capacity.notificationthreshold', 'The share of a cluster''s processors from which measurements carry a warning.', '0.75', 1, 3, 7, NULL, 4
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'cluster.cpu.allocated.capacity.notificationthreshold');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'DeploymentClusterPlanner', 'cluster.cpu.allocated.capacity.disablethreshold', 'The share of a cluster''s processors from which measurements say that it is full.', '0.85', 1, 3, 7, NULL, 4
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'cluster.cpu.allocated.capacity.disablethreshold');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Alert', 'DEFAULT', 'AlertManager', 'cluster.memory.allocated.capacity.notificationthreshold', 'The share of a cluster''s memory from which measurements carry a warning.', '0.75', 1, 7, 23, NULL, 4
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'cluster.memory.allocated.capacity.notificationthreshold');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'DeploymentClusterPlanner', 'cluster.memory.allocated.capacity.disablethreshold', 'The share of a cluster''s memory from which measurements say that it is full.', '0.85', 1, 7, 23, NULL, 4
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'cluster.memory.allocated.capacity.disablethreshold');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Alert', 'DEFAULT', 'AlertManager', 'cluster.storage.capacity.notificationthreshold', 'The share of a pool in use from which measurements carry a warning.', '0.75', 1, 9, 36, NULL, 4
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'cluster.storage.capacity.notificationthreshold');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Alert', 'DEFAULT', 'AlertManager', 'cluster.storage.allocated.capacity.notificationthreshold', 'The promised share of a pool from which measurements carry a warning.', '0.75', 1, 9, 36, NULL, 4
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'cluster.storage.allocated.capacity.notificationthreshold');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'VolumeApiService', 'match.storage.pool.tags.with.disk.offering', 'Whether a disk only goes to pools that have the tags of its disk offering.', 'true', 1, 9, 36, NULL, 2
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'match.storage.pool.tags.with.disk.offering');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'UserVmManager', 'vm.strict.host.tags', 'Host tags, separated by commas, that must fit even when a host is named.', '', 1, 3, 7, NULL, 1
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'vm.strict.host.tags');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'management-server', 'ha.tag', 'The tag of hosts that are kept free for machines of failed hosts.', NULL, 0, 3, 9, NULL, 0
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'ha.tag');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'management-server', 'hypervisor.list', 'The hypervisors that are listed when no zone is asked for.', 'KVM,VMware,XenServer,Hyperv,BareMetal,Ovm,LXC,Ovm3,External', 0, 6, 26, 'CSV', 0
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'hypervisor.list');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'HypervisorGuruBase', 'hypervisor.custom.display.name', 'What clients call the hypervisor named Custom.', 'Custom', 1, 6, 26, NULL, 1
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'hypervisor.custom.display.name');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'ApiServiceConfiguration', 'default.ui.page.size', 'How many rows the user interface shows on a page.', '20', 1, 1, 1, NULL, 1
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'default.ui.page.size');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'QueryService', 'user.vm.denied.details', 'Details of machines that ordinary users do not see.', 'rootdisksize, cpuOvercommitRatio, memoryOvercommitRatio, Message.ReservedCapacityFreed.Flag', 1, 3, 7, 'CSV', 1
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'user.vm.denied.details');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'QueryService', 'user.vm.readonly.details', 'Details of machines that ordinary users see and cannot change.', 'dataDiskController, rootDiskController, backupValidationCommandTimeout, backupValidationScreenshotWait, backupValidationBootTimeout', 1, 3, 7, 'CSV', 1
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'user.vm.readonly.details');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'QueryService', 'allow.user.view.destroyed.vm', 'Whether ordinary users see their destroyed machines.', 'false', 1, 3, 7, NULL, 128
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'allow.user.view.destroyed.vm');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'TemplateManager', 'vm.iso.max.count', 'How many images the drives of a machine may hold.', '1', 1, 3, 7, NULL, 4
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'vm.iso.max.count');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'ManagementServer', 'expose.cloudstack.version.api.list.capabilities', 'Whether listCapabilities tells the version.', 'true', 1, 7, 18, NULL, 1
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'expose.cloudstack.version.api.list.capabilities');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'System', 'DEFAULT', 'AccountManager', 'api.key.access', 'Whether keys may be used.', 'true', 1, 7, 18, NULL, 64
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'api.key.access');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'ApiServiceConfiguration', 'api.source.cidr.checks.enabled', 'Whether calls are only taken from the networks of api.allowed.source.cidr.list.', 'true', 1, 7, 18, NULL, 1
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'api.source.cidr.checks.enabled');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'ApiServiceConfiguration', 'api.allowed.source.cidr.list', 'The networks, separated by commas, that calls may come from.', '0.0.0.0/0,::/0', 1, 7, 18, 'CSV', 128
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'api.allowed.source.cidr.list');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'AccountManager', 'allow.operations.on.users.in.same.account', 'Whether users of an account may change each other.', 'true', 1, 7, 18, NULL, 1
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'allow.operations.on.users.in.same.account');
INSERT INTO `configuration` (`category`, `instance`, `component`, `name`, `description`, `default_value`, `is_dynamic`, `group_id`, `subgroup_id`, `kind`, `scope`)
    SELECT 'Advanced', 'DEFAULT', 'AccountManager', 'role.types.allowed.for.operations.on.accounts.of.same.role.type', 'The types of roles whose holders may change accounts with a role of the same type.', 'Admin,DomainAdmin,ResourceAdmin', 1, 7, 18, 'CSV', 1
    FROM (SELECT 1 AS one) AS anything WHERE NOT EXISTS (SELECT name FROM `configuration` WHERE name = 'role.types.allowed.for.operations.on.accounts.of.same.role.type');
