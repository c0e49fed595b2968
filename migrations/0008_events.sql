-- What events are narrowed to beside their owners: each index gives a page in its order, and its count without a look at the
-- rows.
CREATE INDEX `i_event__type_page` ON `event` (`type`, `archived`, `created`, `id`, `account_id`, `domain_id`, `display`);
CREATE INDEX `i_event__level_page` ON `event` (`level`, `archived`, `created`, `id`, `account_id`, `domain_id`, `display`);
CREATE INDEX `i_event__resource` ON `event` (`resource_type`, `resource_id`, `archived`, `created`, `id`);
