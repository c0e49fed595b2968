-- What is looked for every second or with every list, and is rare: hosts and pools that are being emptied, the accounts of projects.
CREATE INDEX `i_host__resource_state` ON `host` (`resource_state`);
CREATE INDEX `i_storage_pool__status` ON `storage_pool` (`status`);
CREATE INDEX `i_account__type` ON `account` (`type`);
