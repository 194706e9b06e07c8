import type { ConformancePlace, ConformanceTarget } from '@sched/core/conformance';
import { drop } from '../src/database.ts';
import { AcmeDataStore } from '../src/index.ts';

/** Somewhere tasks can be kept, fresh and apart from every other, for one case of the kit. */
function create(): ConformancePlace {
  const url = `acme://localhost/${crypto.randomUUID()}`;
  return {
    connect: (options) => new AcmeDataStore({ url, ...options }),
    dispose: () => drop(url),
  };
}

export default { create } satisfies ConformanceTarget;
