// The process that holds the servers of one run. It is a process of its own so that a Ctrl-C meant
// for the tests does not reach the servers, and so that they are stopped even when whoever started
// them is killed: its standard input then ends. With `--stay` it waits to be asked instead.

import { dockerCompose } from './compose.ts';
import { serve } from './control.ts';
import { controlSocket, openFolder, runFolder, sweep } from './folders.ts';
import { services } from './services/index.ts';
import { createSupervisor } from './supervisor.ts';

const stayIn = process.argv[2] === '--stay' ? process.argv[3] : undefined;
const folder = stayIn === undefined ? runFolder() : openFolder(stayIn);
const supervisor = createSupervisor({
  services,
  folder,
  env: process.env,
  compose: dockerCompose(folder),
});

async function end() {
  await supervisor.end();
  process.exit();
}
process.on('SIGTERM', end).on('SIGINT', end).on('SIGHUP', end);
if (stayIn === undefined) process.stdin.on('end', end).resume();

await serve(supervisor, controlSocket(folder), () => process.exit());
process.stdout.write(`${controlSocket(folder)}\n`);
await sweep();
