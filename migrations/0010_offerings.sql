-- What disk offerings are kept for.
CREATE INDEX `i_disk_offering_details__offering_id` ON `disk_offering_details` (`offering_id`);
