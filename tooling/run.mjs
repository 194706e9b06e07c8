// The entry of the repository's two commands, `npm start` and `npm test`. It needs nothing but the
// Node and npm of the machine (Node 20 is enough) and hands over to the pinned pnpm and Node as soon
// as they are installed. It says what it does, stops at the first step that fails and exits with
// that step's code.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
const pnpm = readJson(join(root, 'package.json')).packageManager;
const quickstart = '@sched-apps/quickstart';
const checks = '@sched-tooling/checks';
const services = join(root, 'tooling', 'services');
/** How many failures the summary repeats. */
const shownFailures = 10;
const missingServersFile = join(services, '.test-results', 'missing.json');

// First in PATH: the installed `node` package. Whatever runs after the installation runs on it.
const path = join(root, 'node_modules', '.bin') + delimiter + process.env.PATH;
const env = { ...process.env, PATH: path, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' };

const install = {
  title: `Install the dependencies with ${pnpm}`,
  run: () => run('npx', ['--yes', pnpm, 'install'], { env: process.env }),
};
const handOver = {
  title: 'Hand over to the installed Node',
  run: () => {
    const { stdout } = spawnSync('node', ['--version'], { env, encoding: 'utf8' });
    console.log(`Node ${stdout.trim()} runs everything from here (found ${process.version}).`);
    return stdout.startsWith('v24.') ? 0 : 1;
  },
};

const commands = {
  start: (args) => [
    install,
    handOver,
    {
      title: 'Build the packages that the quickstart uses',
      run: () => turbo('build', `--filter=${quickstart}...`),
    },
    {
      title: `Run the quickstart${args.map((arg) => ` ${arg}`).join('')}`,
      run: () => run('pnpm', ['--dir', packageFolder(quickstart), 'start', ...args]),
    },
  ],
  test: () => [
    install,
    handOver,
    { title: 'Build every package', run: () => turbo('build') },
    { title: 'Lint and check the formatting', run: () => run('biome', ['check', '.']) },
    { title: 'Check the types', run: () => turbo('typecheck') },
    {
      title: 'Start the database servers and run the tests of every package on them',
      run: () =>
        onServers(
          'turbo',
          // All of them, whichever fails, so that one run tells everything.
          turboArguments(
            'test',
            ...['--env-mode=loose', '--concurrency=1', '--continue', `--filter=!${checks}`],
          ),
        ),
      counted: () => testedPackages().filter(({ name }) => name !== checks),
    },
    {
      title: 'Check the packages as they would be published',
      run: () => turbo('test', `--filter=${checks}`),
      counted: () => testedPackages().filter(({ name }) => name === checks),
    },
  ],
};

/** Runs a command in the foreground; the promise gives its exit code. */
function run(command, args, options = {}) {
  const child = spawn(command, args, {
    cwd: root,
    stdio: 'inherit',
    env,
    shell: process.platform === 'win32',
    ...options,
  });
  // Ctrl-C reaches the child by itself, unless only this process was meant, and a polite end is
  // passed on: either way this command ends with the child, not before it. Not every child then
  // admits that it was stopped.
  let stopped = 0;
  const forward = () => {
    stopped = 128 + constants.signals.SIGTERM;
    child.kill('SIGTERM');
  };
  const wait = () => {
    stopped = 128 + constants.signals.SIGINT;
    setTimeout(() => child.kill('SIGTERM'), 2_000).unref();
  };
  process.on('SIGTERM', forward).on('SIGINT', wait);
  return new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(`${command} did not start: ${error.message}`);
      resolve(127);
    });
    child.on('close', (code, signal) => {
      resolve((code ?? 128 + constants.signals[signal]) || stopped);
    });
  }).finally(() => process.off('SIGTERM', forward).off('SIGINT', wait));
}

const turboArguments = (task, ...args) => ['run', task, '--output-logs=new-only', ...args];

function turbo(task, ...args) {
  return run('turbo', turboArguments(task, ...args));
}

/** Runs a command while the servers are there that tests need. */
function onServers(command, args) {
  const cli = ['--disable-warning=ExperimentalWarning', join(services, 'src', 'cli.ts')];
  return run('node', [...cli, 'run', '--report', missingServersFile, '--', command, ...args]);
}

/** A line for each server that this machine does not have. */
function missingServers() {
  return existsSync(missingServersFile) ? readJson(missingServersFile) : [];
}

/** How many tests stood for others that could not run, for want of a server. */
function countWithoutServer({ testResults = [] }) {
  return testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status, meta }) => status === 'skipped' && meta.missingService !== undefined).length;
}

/** Every package of the workspace: its name, its folder and whether it has tests. */
function workspace() {
  return ['packages', 'apps', 'tooling']
    .map((group) => join(root, group))
    .filter((group) => existsSync(group))
    .flatMap((group) => readdirSync(group).map((name) => join(group, name)))
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .map((folder) => ({ folder, ...readJson(join(folder, 'package.json')) }));
}

function packageFolder(name) {
  const found = workspace().find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`There is no package ${name} in this workspace.`);
  return found.folder;
}

function testedPackages() {
  return workspace().filter(({ scripts }) => scripts?.test !== undefined);
}

const resultsOf = (folder) => join(folder, '.test-results', 'vitest.json');
const failuresOf = (folder) => join(folder, '.test-results', 'failures.json');
/** What the conformance kit says of an adapter, a file for each server. */
const conformanceOf = (folder) => join(folder, '.test-results', 'conformance');

/** What failed in the packages, said once more where it is seen. */
function failures() {
  return testedPackages()
    .filter(({ folder }) => existsSync(failuresOf(folder)))
    .flatMap(({ name, folder }) => readJson(failuresOf(folder)).map((text) => `${name}: ${text}`));
}

/** Adds up what the test runs of this command reported. */
function tally() {
  const total = { passed: 0, failed: 0, skipped: 0, withoutServer: 0 };
  for (const { folder } of testedPackages()) {
    if (!existsSync(resultsOf(folder))) continue;
    const results = readJson(resultsOf(folder));
    total.passed += results.numPassedTests;
    total.failed += results.numFailedTests;
    const withoutServer = countWithoutServer(results);
    total.withoutServer += withoutServer;
    total.skipped += results.numPendingTests + results.numTodoTests - withoutServer;
  }
  return total;
}

/** Names the packages whose tests should have run by the end of a step and did not all pass. */
function missingResults(packages) {
  return packages
    .filter(({ folder }) => {
      if (!existsSync(resultsOf(folder))) return true;
      const results = readJson(resultsOf(folder));
      const excused = process.env.CI ? 0 : countWithoutServer(results);
      return (
        results.numTotalTests === 0 || results.numPassedTests + excused !== results.numTotalTests
      );
    })
    .map(({ folder }) => relative(root, folder));
}

const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

async function main([command, ...args]) {
  const steps = commands[command]?.(args);
  if (steps === undefined) {
    console.error(`Usage: node tooling/run.mjs ${Object.keys(commands).join('|')}`);
    return 2;
  }
  if (command === 'test') {
    for (const { folder } of testedPackages()) {
      rmSync(resultsOf(folder), { force: true });
      rmSync(failuresOf(folder), { force: true });
      rmSync(conformanceOf(folder), { recursive: true, force: true });
    }
    rmSync(missingServersFile, { force: true });
  }

  const begun = Date.now();
  const summary = [];
  let exitCode = 0;
  for (const [index, step] of steps.entries()) {
    console.log(`\n=== ${index + 1}/${steps.length} ${step.title}\n`);
    const stepBegun = Date.now();
    exitCode = await step.run();
    const incomplete = exitCode === 0 && step.counted ? missingResults(step.counted()) : [];
    if (incomplete.length > 0) {
      console.error(`Not every test ran and passed in: ${incomplete.join(', ')}`);
      exitCode = 1;
    }
    summary.push(`${exitCode === 0 ? 'ok    ' : 'FAILED'}  ${step.title} (${seconds(stepBegun)})`);
    if (exitCode !== 0) break;
  }

  const { passed, failed, skipped, withoutServer } = tally();
  if (exitCode === 0 && command === 'test' && (passed === 0 || failed > 0 || skipped > 0)) {
    exitCode = 1;
  }
  console.log(`\n=== Summary of \`npm ${command}\`\n`);
  console.log(summary.join('\n'));
  const outcome = exitCode === 0 ? 'Done' : `Failed with exit code ${exitCode}`;
  console.log(`\n${outcome} after ${seconds(begun)}.`);
  if (command === 'test') {
    const texts = failures();
    for (const text of texts.slice(0, shownFailures)) console.log(`\nFAILED  ${text}`);
    if (texts.length > shownFailures) console.log(`\n… and ${texts.length - shownFailures} more`);
    for (const line of missingServers()) console.log(line);
    if (withoutServer > 0) {
      console.log(`For want of servers, ${withoutServer} groups of tests did not run.`);
    }
    console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  }
  return exitCode;
}

process.exitCode = await main(process.argv.slice(2));
