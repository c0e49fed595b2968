-- Every migration asks whether an earlier one of the same machine or volume is in doubt, and what is on its way to the pool: few are,
-- and the history is long.
CREATE INDEX `i_motion_migration__phase_outcome` ON `motion_migration` (`phase`, `outcome`);
CREATE INDEX `i_motion_disk__target_pool` ON `motion_disk` (`target_pool_id`, `migration_id`);
