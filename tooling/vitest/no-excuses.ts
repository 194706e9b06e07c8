import type { Reporter } from 'vitest/node';

/**
 * Fails a run in which a test was skipped, left as a todo or allowed to retry: such a run is green
 * without having shown anything.
 */
export function noExcuses(): Reporter {
  let selecting = false;
  return {
    onInit(vitest) {
      // `vitest -t name` marks everything it leaves out as skipped, and that is what was asked for.
      selecting = vitest.config.testNamePattern !== undefined;
    },
    onTestRunEnd(modules) {
      if (selecting) return;
      const excuses: string[] = [];
      for (const module of modules) {
        for (const test of module.children.allTests()) {
          const where = `${module.relativeModuleId} > ${test.fullName}`;
          if (test.result().state === 'skipped') excuses.push(`skipped: ${where}`);
          if (test.options.retry) excuses.push(`may retry: ${where}`);
        }
      }
      if (excuses.length === 0) return;
      process.exitCode = 1;
      console.error(`Every test must run, once:\n${excuses.map((line) => `  ${line}\n`).join('')}`);
    },
  };
}
