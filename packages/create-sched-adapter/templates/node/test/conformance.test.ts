import { test } from 'node:test';
import { dataStoreConformance } from '@sched/core/conformance';
import target from './place.ts';

for (const { name, run } of dataStoreConformance(target)) test(name, run);
