import preset from '@sched-tooling/vitest';

export default preset;
