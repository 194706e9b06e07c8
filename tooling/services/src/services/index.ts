import type { Service } from '../contract.ts';
import { documentdb } from './documentdb.ts';
import { dynamodb } from './dynamodb.ts';
import { ferretdb } from './ferretdb.ts';
import { mariadb } from './mariadb.ts';
import { mongodb } from './mongodb.ts';
import { mysql } from './mysql.ts';
import { pgbouncer } from './pgbouncer.ts';
import { postgres } from './postgres.ts';
import { redis } from './redis.ts';
import { redisCluster } from './redis-cluster.ts';
import { secantusdb } from './secantusdb.ts';

/** Every service, in the order in which they are reported. */
export const services: Service[] = [
  postgres,
  pgbouncer,
  mariadb,
  mysql,
  redis,
  redisCluster,
  documentdb,
  ferretdb,
  secantusdb,
  mongodb,
  dynamodb,
];
