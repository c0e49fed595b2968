-- Secrets are kept sealed (`src/store/vault`), which makes them longer: by a third, and 51 letters. Of the database that
-- reads this, only what has lengths has to be told.
ALTER TABLE `api_keypair` MODIFY `secret_key` varchar(1024) NOT NULL;
ALTER TABLE `user` MODIFY `key_for_2fa` varchar(1024);
ALTER TABLE `host_details` MODIFY `value` varchar(1024) NOT NULL;
ALTER TABLE `cluster_details` MODIFY `value` varchar(1024) NOT NULL;
ALTER TABLE `storage_pool` MODIFY `user_info` varchar(1024);
ALTER TABLE `storage_pool` MODIFY `path` varchar(1024) NOT NULL;
ALTER TABLE `storage_pool_details` MODIFY `value` varchar(1024) NOT NULL;
ALTER TABLE `vm_instance` MODIFY `vnc_password` varchar(1024) NOT NULL;
ALTER TABLE `vm_instance_details` MODIFY `value` varchar(8192) NOT NULL;
ALTER TABLE `account_details` MODIFY `value` varchar(8192) NOT NULL;
ALTER TABLE `domain_details` MODIFY `value` varchar(8192) NOT NULL;

-- What was imported from a CloudStack database: which row of which table, a digest of the row as it was there (without
-- secrets), and the run of the import that saw it last.
CREATE TABLE `motion_import` (
    `table_name` varchar(64) NOT NULL,
    `row_id` bigint unsigned NOT NULL,
    `digest` char(64) NOT NULL,
    `run` bigint NOT NULL,
    PRIMARY KEY (`table_name`, `row_id`)
);
