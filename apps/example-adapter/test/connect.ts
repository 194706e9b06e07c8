import { LmdbDataStore } from '../src/index.ts';

/** For the processes that the kit starts. */
export default (path: string) => new LmdbDataStore({ path });
