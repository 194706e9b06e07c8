import { dataStoreConformance } from '@sched/core/conformance';
import { test } from 'vitest';
import target from './place.ts';

for (const { name, run } of dataStoreConformance(target)) test(name, run);
