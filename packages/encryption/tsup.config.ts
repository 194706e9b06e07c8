import { library } from '@sched-tooling/tsup';

export default library();
