import preset from '@sched-tooling/vitest';
import { mergeConfig } from 'vitest/config';

// Each test on a store has a server and three workers at work.
export default mergeConfig(preset, { test: { maxWorkers: 2 } });
