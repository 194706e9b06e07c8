// Vitest's main process, before the tests of a package that needs servers: where none are kept for it
// already, it keeps its own. None starts before a test file asks for it.

import { controlVariable } from './client.ts';
import { startKeeper, upSocket } from './keeping.ts';

export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env[controlVariable]) return undefined;
  const up = await upSocket();
  const keeper = up === undefined ? await startKeeper() : undefined;
  // Test files run in processes that inherit this.
  process.env[controlVariable] = up ?? keeper?.socket;
  return keeper?.end;
}
