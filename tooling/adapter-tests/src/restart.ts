import type { ConformancePlace } from '@sched/core/conformance';
import { dataStoreConformance } from '@sched/core/conformance';
import { test } from 'vitest';

/** A server that nobody else uses. */
interface RestartableServer {
  restart(options: { readonly kill: boolean }): Promise<void>;
}

/** The cases of the kit that take a server which can be killed and started again. */
export function testRestart(
  server: RestartableServer,
  createPlace: () => ConformancePlace | Promise<ConformancePlace>,
): void {
  const create = async () => ({
    ...(await createPlace()),
    restart: () => server.restart({ kill: true }),
  });
  for (const { name, run } of dataStoreConformance({ create })) {
    if (name.startsWith('a server that restarts')) test(name, run);
  }
}
