import type { Service } from '../contract.ts';
import { pgbouncer } from './pgbouncer.ts';
import { postgres } from './postgres.ts';
import { redis } from './redis.ts';

/** Every service, in the order in which they are reported. */
export const services: Service[] = [postgres, pgbouncer, redis];
