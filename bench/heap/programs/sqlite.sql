-- A database in memory: inserts, two indices, joins, groups, updates, deletes. ROWS is put in by the driver.
PRAGMA journal_mode = MEMORY;
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, town INTEGER, age INTEGER);
CREATE TABLE visit (person INTEGER, town INTEGER, note TEXT);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ROWS)
INSERT INTO person SELECT i, 'person ' || (i * 7919 % 100003), i * 31 % 997, i * 17 % 90 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2 * ROWS)
INSERT INTO visit SELECT i * 7 % ROWS, i * 13 % 997, printf('%d-%s', i, hex(i * 2654435761)) FROM n;
COMMIT;
CREATE INDEX person_by_name ON person (name);
CREATE INDEX visit_by_person ON visit (person);
SELECT count(*), sum(length(note)) FROM visit JOIN person ON visit.person = person.id WHERE person.age > 30;
SELECT town, count(*) AS c, group_concat(substr(name, -2)) FROM person GROUP BY town ORDER BY c DESC, town LIMIT 3;
UPDATE person SET name = name || '!' WHERE id % 3 = 0;
DELETE FROM visit WHERE person % 4 = 1;
SELECT count(DISTINCT note), max(length(note)) FROM visit;
SELECT name FROM person ORDER BY substr(name, 8), id LIMIT 3;
