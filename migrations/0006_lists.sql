-- What the lists of events and alerts are narrowed to and ordered by.
CREATE INDEX `i_event__page` ON `event` (`archived`, `created`, `id`);
CREATE INDEX `i_event__account_page` ON `event` (`account_id`, `archived`, `created`, `id`);
CREATE INDEX `i_event__start_id` ON `event` (`start_id`);
CREATE INDEX `i_alert__page` ON `alert` (`archived`, `last_sent`, `id`);
