-- Rows that stand for something of which one transaction at a time judges what there is: a pool's room, a host's, who is in a domain.
-- Each changes its row first and looks then. A statement that changes nothing would not do: a cluster does not compare those.
CREATE TABLE `motion_turn` (
    `name` varchar(64) NOT NULL PRIMARY KEY,
    `taken` bigint unsigned NOT NULL
);
