-- Pages and counts of many hosts without a look at the rows themselves, and what else scanned a table of a large estate. `removed`
-- is first in none of them: SQLite would take it for a value that few rows have.
CREATE INDEX `i_host__page` ON `host` (`id`, `removed`, `data_center_id`, `pod_id`, `type`, `status`, `hypervisor_type`);
CREATE INDEX `i_host__zone_page` ON `host` (`data_center_id`, `id`, `removed`, `type`, `status`, `hypervisor_type`);
CREATE INDEX `i_host__state_page` ON `host` (`status`, `id`, `removed`, `type`, `data_center_id`);
CREATE INDEX `i_cluster__hypervisor_type` ON `cluster` (`hypervisor_type`, `removed`, `data_center_id`);
