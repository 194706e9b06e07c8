#!/usr/bin/env node
import { main } from './main.js';

const { argv, env, stdin, stdout, stderr } = process;

// A reader that has seen enough, such as head, is no failure.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

const code = await main(argv.slice(2), {
  ...{ env, stdin, stdout, stderr },
  cwd: process.cwd(),
  interruption() {
    const controller = new AbortController();
    process.once('SIGINT', () => controller.abort());
    return controller.signal;
  },
});

// What the configuration has opened, such as a pool of its own, would keep the process.
for (const stream of [stdout, stderr]) {
  await new Promise<void>((resolve) => stream.write('', () => resolve()));
}
process.exit(code);
