/** The part of a `Redis` or `Cluster` of ioredis that is used: a client of the user's own fits. */
export type RedisClient = RedisConnection | RedisCluster;

/** What both understand. */
export interface RedisCommands {
  evalsha(sha: string, keyCount: number, ...keysAndArgs: (string | number)[]): Promise<unknown>;
  eval(script: string, keyCount: number, ...keysAndArgs: (string | number)[]): Promise<unknown>;
  info(): Promise<string>;
  config(subcommand: 'GET', parameter: string): Promise<unknown>;
}

/** One connection: to a server, or to the master that Sentinels name. */
export interface RedisConnection extends RedisCommands {
  duplicate(options: {
    readonly lazyConnect: true;
    readonly maxRetriesPerRequest: 0;
    readonly retryStrategy: null;
  }): RedisSubscriber;
}

export interface RedisCluster extends RedisCommands {
  nodes(role: 'all' | 'master'): readonly RedisConnection[];
}

/** A connection of the store's own that listens. */
export interface RedisSubscriber {
  connect(): Promise<void>;
  subscribe(channel: string): Promise<unknown>;
  on(event: 'message', listener: (channel: string, message: string) => void): unknown;
  on(event: 'error' | 'end', listener: (error?: Error) => void): unknown;
  disconnect(): void;
}

/** A client of the store's own. */
export interface OwnClient {
  readonly status: string;
  connect(): Promise<void>;
  on(event: 'error' | 'node error', listener: (error: Error) => void): unknown;
  on(event: 'ready', listener: () => void): unknown;
  disconnect(): void;
}
