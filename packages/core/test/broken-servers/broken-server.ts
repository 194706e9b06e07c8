import type { ConformanceTarget, Guarantee } from '../../src/conformance/index.js';
import type { Served } from '../served-store/index.js';
import { servedTarget } from '../served-store/index.js';

/** A store behind a line that keeps every promise but one, and how the kit has to find out. */
export interface BrokenServer {
  /** What is wrong with it, its client or both. */
  readonly name: string;
  /** The case that has to reject it. */
  readonly by: string;
  readonly breaks: Guarantee;
  /** Part of the sentence with which it does. */
  readonly because: string;
  readonly target: ConformanceTarget;
}

export function brokenServer(
  name: string,
  by: string,
  breaks: Guarantee,
  because: string,
  served: Served,
): BrokenServer {
  return { name, by, breaks, because, target: servedTarget(served) };
}

/** How long a case may take in which something never comes. */
export const limitMs = 10_000;
