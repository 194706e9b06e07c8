-- The account of the tests, which may do everything. Run by MySQL and MariaDB at each start.
CREATE DATABASE IF NOT EXISTS sched CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'sched'@'%' IDENTIFIED BY 'sched';
GRANT ALL PRIVILEGES ON *.* TO 'sched'@'%' WITH GRANT OPTION;
