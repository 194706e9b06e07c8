import { InvalidArgumentError } from '@commander-js/extra-typings';
import type { StoreOptions } from './adapters.js';

/** Collects the options of a data store: `namespace=jobs`, `shards=4`. */
export function pair(text: string, before: StoreOptions = {}): StoreOptions {
  const [, name, value] = /^([a-z]\w*)=(.*)$/is.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new InvalidArgumentError('It has to be of the form name=value.');
  }
  const isLiteral = /^(true|false|-?\d+(\.\d+)?)$/.test(value);
  return { ...before, [name]: isLiteral ? JSON.parse(value) : value };
}
