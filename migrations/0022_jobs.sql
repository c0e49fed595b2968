-- How many jobs with ids of their own came while an equal one had the place that equal submissions collide with. Whoever comes counts
-- itself there, so that it cannot go unnoticed by the end of the one that has the place.
ALTER TABLE `motion_submission` ADD COLUMN `followers` int NOT NULL DEFAULT 0;
-- What a job has made, by its internal number: a job that is run again after a crash finds it there, and nowhere else.
ALTER TABLE `motion_job` ADD COLUMN `made_id` bigint unsigned;
