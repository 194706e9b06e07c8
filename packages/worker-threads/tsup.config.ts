import { library } from '@sched-tooling/tsup';

export default library({ index: 'src/index.ts', 'thread/index': 'src/thread/index.ts' });
