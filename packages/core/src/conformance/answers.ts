import { AssertionError } from 'node:assert';
import { inspect } from 'node:util';
import type { DataStore } from '../data-store.js';
import type { StoreCall } from './intercept.js';
import { interceptStore } from './intercept.js';
import type { Waiting } from './limit.js';

const isList = (answer: unknown) => Array.isArray(answer);
const hasTasks = (answer: unknown) =>
  typeof answer === 'object' && answer !== null && 'tasks' in answer && isList(answer.tasks);
const hasEntries = (answer: unknown) =>
  typeof answer === 'object' && answer !== null && 'entries' in answer && isList(answer.entries);
const is = (type: string) => (answer: unknown) => typeof answer === type;

/** What kind of thing each call answers, and how to know it. */
const kinds: Partial<Record<StoreCall, readonly [string, (answer: unknown) => boolean]>> = {
  now: ['a number', is('number')],
  insert: ['a list', isList],
  get: ['a list', isList],
  update: ['a text', is('string')],
  list: ['an object with a list of tasks', hasTasks],
  count: ['a number', is('number')],
  remove: ['a number', is('number')],
  setPaused: ['a number', is('number')],
  claim: ['an object with a list of tasks', hasTasks],
  extend: ['a list', isList],
  settle: ['a list', isList],
  release: ['a list', isList],
  history: ['a list', isList],
  latestHistory: ['an object with a list of entries', hasEntries],
  watch: ['a function', is('function')],
};

/** The same store, whose calls are known while they last, and whose answers are at least of the right kind. */
export function watchedStore(store: DataStore, waiting: Waiting): DataStore {
  return interceptStore(store, async (call, proceed) => {
    let answer: unknown;
    try {
      answer = await waiting.for(`${call} to answer`, proceed);
    } catch (error) {
      if (error instanceof Error) throw error;
      throw wrong(`${call} fails with an error, and not with ${inspect(error)}`);
    }
    const [what, isRight] = kinds[call] ?? ['', () => true];
    if (isRight(answer)) return answer;
    throw wrong(`${call} answers with ${what}, and not with ${inspect(answer)}`);
  });
}

const wrong = (message: string) => new AssertionError({ message });
