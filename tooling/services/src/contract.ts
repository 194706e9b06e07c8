// What a service is. Each is one file in `services`, and none of them knows how it is asked for.

/** A program that a server runs. */
export interface Program {
  path: string;
  version: string;
  /** Where it is from, for people: 'found here', 'unpacked from Debian packages'. */
  source: string;
  /** What its process needs in its environment. */
  env?: Record<string, string>;
  /** Everything it consists of, where that is a folder of the cache. */
  folder?: string;
}

/** Finds out what this machine has, and fetches what it lacks into the cache folder. */
export interface Site {
  /** A folder of the service's own, for its data and its logs; gone when the run ends. */
  folder: string;
  /** Another one, in memory if there is room: for servers that cannot be kept from waiting for disks. */
  quickFolder: string;
  /** Whether servers write to disk as they would in production; otherwise as fast as they can. */
  durable: boolean;
  /** A free port of the loopback interface, reserved for this service. */
  freePort(): Promise<number>;
  /** Starts another service that this one stands on, and gives its URL. */
  need(name: string): Promise<string>;
  /** Tells whoever waits what takes so long. */
  progress(text: string): void;
}

/** A server on this machine that can be started and stopped any number of times, data kept. */
export interface Server {
  /** Where clients connect; several for a cluster. */
  urls: string[];
  version: string;
  source: string;
  start(): Promise<void>;
  /** Stops it: as its operator would, or with no chance to write anything. */
  stop(how: StopMode): Promise<void>;
}

/** `end` is the quickest: nobody will ask for the data again. */
export type StopMode = 'polite' | 'kill' | 'end';

export interface Service {
  name: string;
  /** With the version that tests are written for: 'PostgreSQL 15'. */
  title: string;
  /** Tested where it can be had, and no loss where it cannot. */
  optional?: boolean;
  /** Only there for another service to stand on. */
  internal?: boolean;
  /** Finds or fetches its programs and makes its data folder; starts nothing. */
  create(site: Site): Promise<Server>;
  /** How to reach it once the compose file runs it. */
  compose?: ComposeTarget;
}

interface ComposeTarget {
  /** The variables of the compose file that say on which ports of this machine it listens. */
  ports: string[];
  /** Where clients connect, given these ports. */
  urls(ports: number[]): string[];
  /** Resolves when it answers in its own protocol. */
  ready(ports: number[]): Promise<void>;
}
