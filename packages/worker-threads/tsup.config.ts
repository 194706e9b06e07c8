import { library } from '@sched-tooling/tsup';

export default library({ index: 'src/index.ts', thread: 'src/thread.ts' });
