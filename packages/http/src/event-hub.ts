import { isSchedError, type Scheduler, type SchedulerEvents } from '@sched/core';
import type { Limits } from './options.js';
import { errorView, refuse, withoutSecrets } from './problem.js';

/** How many events to keep for those who come back. */
const keptEvents = 500;
/** How many events a second to send one by one. Of the others only their number is told. */
const eventsPerSecond = 200;
/** How often to show that a stream is alive. Proxies cut what is silent for a minute or less. */
const heartbeatMs = 15_000;
/** How long to listen after the last reader has gone. It may only be loading its page again. */
const lingerMs = 30_000;

interface KeptEvent {
  readonly number: number;
  readonly store: string | undefined;
  readonly text: Uint8Array;
}

interface Reader {
  readonly who: string;
  readonly store: string | undefined;
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  /** Ends the stream after a while. */
  readonly timer: NodeJS.Timeout;
}

const encoder = new TextEncoder();

/**
 * Hands on what happens in a scheduler to the readers of event streams. Listens only while there are any.
 *
 * The number of an event begins with a text of its own for each hub, so that a reader who comes back to another process,
 * or after a restart, is told that it has missed something instead of being given the wrong rest.
 */
export class EventHub {
  readonly #scheduler: Scheduler;
  readonly #limits: Limits;
  readonly #run = crypto.randomUUID().slice(0, 8);
  readonly #readers = new Set<Reader>();
  #kept: KeptEvent[] = [];
  #number = 0;
  #stopListening: (() => void) | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #linger: NodeJS.Timeout | undefined;
  #inThisSecond = 0;
  #second: NodeJS.Timeout | undefined;
  readonly #others = new Map<string, number>();

  constructor(scheduler: Scheduler, limits: Limits) {
    this.#scheduler = scheduler;
    this.#limits = limits;
  }

  /** How many streams are open. */
  get size(): number {
    return this.#readers.size;
  }

  /**
   * A stream of what happens from now on; or from an event on, if that is still known.
   *
   * @param lastId the number of the last event that the reader got
   * @throws SchedError `SCHED_RATE_LIMITED` when too many streams are open
   */
  open(who: string, store: string | undefined, lastId: string | null): ReadableStream<Uint8Array> {
    const own = [...this.#readers].filter((reader) => reader.who === who).length;
    const { streams, streamsPerCaller, streamBytes, streamMs } = this.#limits;
    if (this.#readers.size >= streams || own >= streamsPerCaller) {
      throw refuse('SCHED_RATE_LIMITED', 'Too many event streams are open. Close some of them.', {
        status: this.#readers.size >= streams ? 503 : 429,
        headers: { 'retry-after': '30' },
      });
    }
    let leave = (): void => {};
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          const timer = setTimeout(() => this.#end(reader), streamMs).unref();
          const reader: Reader = { who, store, controller, timer };
          leave = () => this.#remove(reader);
          this.#add(reader);
          this.#greet(reader, lastId);
        },
        cancel: () => leave(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: streamBytes }),
    );
  }

  /** Tells the readers, if there are any, of what no scheduler tells. */
  announce(name: string, data: object, store: string | undefined): void {
    if (this.#stopListening) this.#publish(name, viewOf(data), store);
  }

  /** Ends all streams. */
  close(): void {
    for (const reader of this.#readers) this.#end(reader);
    clearTimeout(this.#linger);
    this.#sleep();
  }

  #end(reader: Reader): void {
    this.#remove(reader);
    reader.controller.close();
  }

  #add(reader: Reader): void {
    this.#readers.add(reader);
    clearTimeout(this.#linger);
    this.#linger = undefined;
    this.#stopListening ??= this.#scheduler.onAny((name, event) => this.#take(name, event));
    this.#heartbeat ??= setInterval(() => {
      const beat = encoder.encode(':\n\n');
      for (const each of this.#readers) this.#send(each, beat);
    }, heartbeatMs).unref();
  }

  #remove(reader: Reader): void {
    clearTimeout(reader.timer);
    if (!this.#readers.delete(reader) || this.#readers.size > 0) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
    this.#linger = setTimeout(() => this.#sleep(), lingerMs).unref();
  }

  #sleep(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
    clearTimeout(this.#second);
    this.#second = undefined;
    this.#inThisSecond = 0;
    this.#others.clear();
    // What happens from now on is not kept, so nobody may go on from here.
    this.#kept = [];
    this.#number++;
  }

  /** Says where the reader is, and gives it what it has missed. */
  #greet(reader: Reader, lastId: string | null): void {
    const [run, text = ''] = lastId?.split('-') ?? [];
    const last = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    const oldest = this.#kept[0]?.number ?? this.#number + 1;
    if (lastId === null) {
      this.#send(reader, this.#format('hello', this.#number, '{}'));
    } else if (run === this.#run && last >= oldest - 1 && last <= this.#number) {
      this.#send(reader, this.#format('hello', last, '{}'));
      for (const event of this.#kept) if (event.number > last) this.#offer(reader, event);
    } else {
      this.#send(reader, this.#format('reset', this.#number, '{}'));
    }
  }

  #take<K extends keyof SchedulerEvents>(name: K, event: SchedulerEvents[K]): void {
    this.#second ??= setTimeout(() => this.#endSecond(), 1000).unref();
    if (this.#inThisSecond++ < eventsPerSecond) {
      const { store } = event as { readonly store?: string };
      this.#publish(name, viewOf(event), store);
    } else {
      this.#others.set(name, (this.#others.get(name) ?? 0) + 1);
    }
    // A server waits for its connections before it closes.
    if (name === 'stopped') for (const reader of this.#readers) this.#end(reader);
  }

  #endSecond(): void {
    this.#second = undefined;
    this.#inThisSecond = 0;
    if (this.#others.size === 0) return;
    this.#publish('more', JSON.stringify({ counts: Object.fromEntries(this.#others) }), undefined);
    this.#others.clear();
  }

  #publish(name: string, data: string, store: string | undefined): void {
    const number = ++this.#number;
    const event = { number, store, text: this.#format(name, number, data) };
    this.#kept.push(event);
    if (this.#kept.length > keptEvents) this.#kept.shift();
    for (const reader of this.#readers) this.#offer(reader, event);
  }

  #offer(reader: Reader, event: KeptEvent): void {
    if (reader.store !== undefined && event.store !== undefined && event.store !== reader.store) {
      return;
    }
    this.#send(reader, event.text);
  }

  #send(reader: Reader, text: Uint8Array): void {
    if (!this.#readers.has(reader)) return;
    if ((reader.controller.desiredSize ?? 0) >= text.length) {
      reader.controller.enqueue(text);
      return;
    }
    this.#remove(reader);
    // Not closed but failed, so that what waits for the reader is let go of at once.
    reader.controller.error(new Error('The reader of an event stream does not keep up with it.'));
  }

  #format(name: string, number: number, data: string): Uint8Array {
    return encoder.encode(`event: ${name}\nid: ${this.#run}-${number}\ndata: ${data}\n\n`);
  }
}

/** An event as JSON. Errors of stores and handlers may quote what is secret. */
function viewOf(event: object): string {
  try {
    return JSON.stringify(event, (_key, value: unknown) => {
      if (isSchedError(value)) return errorView(value);
      if (value instanceof Error) return { message: withoutSecrets(value.message) };
      return typeof value === 'string' ? withoutSecrets(value) : value;
    });
  } catch {
    // A listener may have thrown what JSON cannot hold. That it happened is told all the same.
    return '{}';
  }
}
