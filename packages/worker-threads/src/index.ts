export { inThread, type ThreadOptions } from './in-thread.js';
export { createThreadPool, type ThreadPool, type ThreadPoolOptions } from './thread-pool.js';
export type { ThreadHandler, ThreadRun } from './thread-run.js';
