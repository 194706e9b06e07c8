import { expect, test } from 'vitest';
import type { Outcome } from '../src/client.ts';
import { details, line, missing, missingLine, variables } from '../src/report.ts';

const ready: Outcome = {
  name: 'redis-cluster',
  title: 'Redis Cluster',
  urls: ['redis://:secret@127.0.0.1:1/0', 'redis://:secret@127.0.0.1:2/0'],
  about: '7.0.15, found here',
  restartable: true,
};
const lacking = {
  name: 'mysql',
  title: 'MySQL 9.7',
  missing: 'no mysqld here\nThe end of its log:\nx',
  optional: false,
};
const optional = { name: 'mongodb', title: 'MongoDB', missing: 'no mongod', optional: true };

test('a line on a server says where it is and what, and no password', () => {
  expect(line(ready)).toBe(
    'ready    redis-cluster on 127.0.0.1:1, 127.0.0.1:2: 7.0.15, found here',
  );
  expect(line({ ...ready, urls: ['secret@(host=a)'] })).not.toContain('secret');
});

test('a line on a missing one says why, and what would help', () => {
  expect(missingLine(lacking)).toBe(
    'MISSING  mysql (MySQL 9.7): no mysqld here; SCHED_TEST_MYSQL_URL may name one',
  );
  expect(line(optional)).toMatch(/^not here mongodb/);
});

test('an optional one is not missed', () => {
  expect(missing([ready, lacking, optional])).toEqual([lacking]);
});

test('what takes more than a line is told in full', () => {
  expect(details([ready, lacking, optional])).toEqual([`mysql: ${lacking.missing}`]);
});

test('a command finds the servers in its environment', () => {
  expect(variables([ready, lacking])).toEqual({
    SCHED_TEST_REDIS_CLUSTER_URL: ready.urls.join(','),
  });
});
