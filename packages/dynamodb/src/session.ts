import { connect } from './connect.js';
import { storeError } from './errors.js';
import type { Settings } from './options.js';
import { Records } from './records.js';
import { prepareNamespace, prepareTable } from './schema.js';
import { Table } from './table.js';

/** An open namespace. */
export interface Session {
  readonly table: Table;
  readonly records: Records;
  readonly settings: Settings;
  /** So many numbers, one after another, that nobody else gets. @returns the first */
  numbers(count: number): Promise<number>;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

/** @throws SchedError as `DataStore.open` says */
export async function openSession(settings: Settings): Promise<Session> {
  const { tableName, namespace } = settings;
  const { call, close } = await connect(settings).catch((error) => {
    throw storeError(error);
  });
  try {
    await prepareTable(call, settings);
    const table = new Table(tableName, call);
    const records = new Records(namespace, await prepareNamespace(table, settings));
    const counter = { pk: namespace, sk: 'counter' };
    return {
      ...{ table, records, settings, close },
      numbers: async (count) => (await table.add(counter, 'last', count)) - count + 1,
    };
  } catch (error) {
    await close();
    throw storeError(error);
  }
}
