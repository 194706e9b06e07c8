import { library } from '@sched-tooling/tsup';

export default library({ index: 'src/index.ts', 'node/index': 'src/node/index.ts' });
