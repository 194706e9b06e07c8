import { refuse } from './problem.js';

/** How many callers to remember. One who is forgotten begins anew, with all that is allowed. */
const callerLimit = 10_000;

/** Bounds how many changes each caller makes: a bucket of tokens, full at first, refilled evenly. */
export class RateLimit {
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  readonly #perMinute: number;
  readonly #now: () => number;

  constructor(perMinute: number, now = () => performance.now()) {
    this.#perMinute = perMinute;
    this.#now = now;
  }

  /** @throws SchedError `SCHED_RATE_LIMITED` */
  take(who: string): void {
    const now = this.#now();
    const known = this.#buckets.get(who) ?? { tokens: this.#perMinute, at: now };
    const perMs = this.#perMinute / 60_000;
    const tokens = Math.min(this.#perMinute, known.tokens + (now - known.at) * perMs);
    this.#buckets.delete(who);
    if (this.#buckets.size >= callerLimit) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    const isRefused = tokens < 1;
    this.#buckets.set(who, { tokens: isRefused ? tokens : tokens - 1, at: now });
    if (!isRefused) return;
    const seconds = Math.ceil((1 - tokens) / perMs / 1000);
    throw refuse(
      'SCHED_RATE_LIMITED',
      `More than ${this.#perMinute} changes a minute. Try again in ${seconds} s, or change many tasks in one request.`,
      { headers: { 'retry-after': String(seconds) } },
    );
  }
}
