export { cleanup } from './cleanup.js';
export { failure } from './failure.js';
export type { CutTarget } from './faults.js';
export { testCutCalls } from './faults.js';
export { hostileTexts, testHostileTexts } from './hostile-texts.js';
export type { Proxy } from './proxy.js';
export { createProxy } from './proxy.js';
export { claimAll, claimOne, leaseOf, record, records, settlement } from './records.js';
