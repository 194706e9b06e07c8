/**
 * Which page is shown: what follows the `#` of the address, such as `#/tasks/nightly?store=main`. It never gets to the
 * server, so the page works wherever it is mounted.
 */

import { computed, signal } from '@preact/signals';

export interface Route {
  /** The parts of the path, decoded. */
  readonly path: readonly string[];
  readonly params: URLSearchParams;
}

export const route = signal<Route>(read());

/** The store that is looked at; null for the default one. */
export const storeAlias = computed(() => route.value.params.get('store'));

export type Params = Readonly<Record<string, string | boolean | null | undefined>>;

/** The address of a page, in the store that is looked at. */
export function href(path: readonly string[], params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({
    ...params,
    store: params.store ?? storeAlias.value,
  })) {
    if (value !== undefined && value !== null && value !== '' && value !== false) {
      query.set(name, `${value}`);
    }
  }
  const text = query.toString();
  return `#/${path.map((part) => encodeURIComponent(part.toWellFormed())).join('/')}${text && '?'}${text}`;
}

export function taskHref(id: string): string {
  return href(['tasks', id]);
}

/** Goes to another page; with `replace` without a step in the history, as for a filter that is being typed. */
export function navigate(address: string, { replace = false } = {}): void {
  if (replace) {
    history.replaceState(null, '', address);
    route.value = read();
  } else {
    location.hash = address;
  }
}

export function listenToAddress(): void {
  addEventListener('hashchange', () => {
    route.value = read();
  });
}

function read(): Route {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  return { path: path.split('/').filter(Boolean).map(decoded), params: new URLSearchParams(query) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
