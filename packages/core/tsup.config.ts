import { library } from '@sched-tooling/tsup';

export default library({
  index: 'src/index.ts',
  'adapter/index': 'src/adapter/index.ts',
  'conformance/index': 'src/conformance/index.ts',
  'conformance/cli': 'src/conformance/cli.ts',
  'testing/index': 'src/testing/index.ts',
});
