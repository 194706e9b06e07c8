import type { Database } from '../database.ts';
import { dynamodb } from './dynamodb.ts';
import { memory } from './memory.ts';
import { mongoDatabase } from './mongo.ts';
import { mysqlDatabase } from './mysql.ts';
import { postgres } from './postgres.ts';
import { redis } from './redis.ts';
import { sqlite } from './sqlite.ts';

/** Everything that is measured on, in the order of the report. */
export const databases: readonly Database[] = [
  memory,
  sqlite,
  postgres,
  mysqlDatabase('mysql'),
  mysqlDatabase('mariadb'),
  redis,
  mongoDatabase('ferretdb', 5000, 20_000),
  mongoDatabase('secantusdb', 1000, 20_000),
  mongoDatabase('mongodb', 10_000, 200_000),
  dynamodb,
];

export function databaseNamed(name: string): Database {
  const found = databases.find((database) => database.name === name);
  if (!found) throw new Error(`There is no database ${name} here.`);
  return found;
}
