import type { MongoClientLike, MongoDataStoreOptions } from '@sched/mongo';
import { MongoDataStore } from '@sched/mongo';
import { cleanup } from '@sched-tooling/adapter-tests';
import type { Collection, Document, MongoClientOptions } from 'mongodb';
import { MongoClient } from 'mongodb';
import { freshName } from './place.js';

/** The servers that the tests run on. */
export const servers = ['ferretdb', 'secantusdb', 'mongodb'] as const;

/** A document whose id is a text. */
type Texts = Document & { _id: string };

/** What tests make on one server, gone after each of them. */
export function workbench(url: string) {
  const later = cleanup();

  const bench = {
    url,
    later,

    /** The name of a database of its own. */
    database(): string {
      const database = freshName();
      later(() => bench.client().db(database).dropDatabase());
      return database;
    },

    /** An open store, in a database of its own unless told otherwise, at the time 1000. */
    async open(options: Partial<MongoDataStoreOptions> = {}): Promise<MongoDataStore> {
      const source = options.client ? {} : { url };
      const database = options.database ?? bench.database();
      const given = { ...source, clock: () => 1000, ...options, database };
      const store = new MongoDataStore(given as MongoDataStoreOptions);
      await store.open();
      later(() => store.close());
      return store;
    },

    client(options: MongoClientOptions = {}, address = url): MongoClient {
      const client = new MongoClient(address, options);
      later(() => client.close());
      return client;
    },

    /** A collection of a store, past the store. */
    collection(database: string, name = 'sched'): Collection<Texts> {
      return bench.client().db(database).collection<Texts>(name);
    },
  };
  return bench;
}

/** A command as it was sent. */
export interface Command {
  readonly name: string;
  readonly command: Document;
}

/** A client, and the commands that it sends. */
export function watched(bench: ReturnType<typeof workbench>) {
  const commands: Command[] = [];
  const client = bench.client({ monitorCommands: true });
  client.on('commandStarted', ({ commandName, command }) => {
    commands.push({ name: commandName, command });
  });
  return {
    client,
    /** What is sent during some work. */
    async during(work: () => Promise<unknown>): Promise<readonly Command[]> {
      commands.length = 0;
      await work();
      return [...commands];
    },
  };
}

const writes = ['bulkWrite', 'deleteMany', 'findOneAndUpdate', 'insertMany', 'updateMany'];

/** A client that does something before each of its writes, such as failing, and something after it. */
export function tampered(
  client: MongoClient,
  before: (write: string) => Promise<void>,
  after: (write: string) => Promise<void> = async () => {},
): MongoClientLike {
  const collectionOf = (collection: Collection) =>
    new Proxy(collection, {
      get(target, method: keyof Collection) {
        const call = target[method];
        if (typeof call !== 'function') return call;
        if (!writes.includes(method)) return call.bind(target);
        return async (...args: unknown[]) => {
          const write = `${method} ${target.collectionName}`;
          await before(write);
          const answer = await (call as (...args: unknown[]) => unknown).apply(target, args);
          await after(write);
          return answer;
        };
      },
    });
  return {
    db: (name) => {
      const database = client.db(name);
      return {
        command: (command) => database.command(command),
        listCollections: (filter) => database.listCollections(filter),
        collection: (collection, options) =>
          collectionOf(database.collection(collection, options)) as never,
      };
    },
  };
}
