import { InvalidArgumentError } from '@commander-js/extra-typings';
import type { StoreOptions } from './adapters.js';

/** Collects the options of a data store: `namespace=jobs`, `shards=4`, `connection={"ssl":true}`. */
export function pair(text: string, before: StoreOptions = {}): StoreOptions {
  const [, name, value] = /^([a-z]\w*)=(.*)$/is.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new InvalidArgumentError('It has to be of the form name=value.');
  }
  const isJson = /^(true|false|-?\d+(\.\d+)?|[{[].*)$/s.test(value);
  try {
    return { ...before, [name]: isJson ? JSON.parse(value) : value };
  } catch {
    throw new InvalidArgumentError(`The value of ${name} is not JSON.`);
  }
}

/** Options as the parameters of a URL, in which passwords are looked for. */
export function asParameters(options: StoreOptions): string[] {
  return Object.entries(options).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null
      ? asParameters(value as StoreOptions)
      : [`?${name}=${value}`, String(value)],
  );
}
