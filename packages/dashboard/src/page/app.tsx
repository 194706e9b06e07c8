/** @jsxImportSource preact */

import { effect } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { canAdmin, getGlobal, me, type Problem } from './api.js';
import { Audit } from './audit.js';
import { BulkDialog } from './bulk.js';
import { FailuresPage } from './failures.js';
import { connection, listenAnew } from './live.js';
import { Overview } from './overview/index.js';
import { Boundary, Empty, Notes, Select, Title, Trouble } from './parts.js';
import { useQuery } from './query.js';
import { Queues } from './queues.js';
import { href, navigate, route, storeAlias } from './router.js';
import { readHealth } from './stores.js';
import { Task } from './task.js';
import { Tasks } from './tasks.js';
import { type Theme, theme, themes } from './theme.js';
import type { Me } from './types.js';
import { WorkersPage } from './workers.js';

interface Page {
  readonly name: string;
  readonly title: string;
  readonly isFor?: () => boolean;
  readonly View: () => preact.JSX.Element;
}

const pages: readonly Page[] = [
  { name: '', title: 'Overview', View: Overview },
  { name: 'tasks', title: 'Tasks', View: Tasks },
  { name: 'failures', title: 'Failures', View: FailuresPage },
  { name: 'queues', title: 'Queues', View: Queues },
  { name: 'workers', title: 'Workers', View: WorkersPage },
  { name: 'audit', title: 'Audit', View: Audit, isFor: canAdmin },
];

export function App() {
  const who = useQuery(
    'me',
    async (signal) => {
      const read = await getGlobal<Me>('me', {}, signal);
      if (me.value?.who !== read.who || me.value.may !== read.may) me.value = read;
      return read;
    },
    60_000,
  );
  const isKnown = me.value !== null;
  useEffect(() => {
    if (!isKnown) who.reload();
  }, [isKnown, who.reload]);
  useFocusOnNavigation();
  useEffect(() => {
    let before = storeAlias.value;
    return effect(() => {
      if (storeAlias.value === before) return;
      before = storeAlias.value;
      listenAnew();
    });
  }, []);
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('title')?.focus()}>
        Skip to the content
      </button>
      <Sidebar />
      <main id="content">
        {me.value ? (
          <Boundary key={route.value.path.join('/')}>
            <Current />
          </Boundary>
        ) : (
          <Outside problem={who.problem} />
        )}
      </main>
      {me.value && <BulkDialog />}
      <Notes />
    </>
  );
}

function Current() {
  const [name = '', id] = route.value.path;
  if (name === 'tasks' && id !== undefined) return <Task key={id} id={id} />;
  const page = pages.find((each) => each.name === name);
  if (!page) {
    return (
      <>
        <Title>There is no such page</Title>
        <p>
          <a href={href([])}>To the overview</a>
        </p>
      </>
    );
  }
  return <page.View key={name} />;
}

/** What those see who may not see anything, or not yet. */
function Outside({ problem }: { problem: Problem | undefined }) {
  if (!problem) return <Empty>Loading…</Empty>;
  return (
    <>
      <Title>{problem.status === 401 ? 'You are not signed in' : 'Nothing can be shown'}</Title>
      <Trouble problem={problem} />
      <button type="button" class="primary" onClick={() => location.reload()}>
        Load again
      </button>
    </>
  );
}

function Sidebar() {
  const [current = ''] = route.value.path;
  return (
    <header class="sidebar">
      <p class="brand">Scheduled tasks</p>
      <nav aria-label="Pages">
        <ul>
          {pages
            .filter(({ isFor }) => isFor?.() ?? true)
            .map(({ name, title }) => (
              <li key={name}>
                <a
                  href={href(name === '' ? [] : [name])}
                  aria-current={current === name ? 'page' : undefined}
                >
                  {title}
                </a>
              </li>
            ))}
        </ul>
      </nav>
      <div class="foot">
        {me.value && <StoreChoice />}
        <p class={`connection ${connection.value}`} role="status" data-testid="connection">
          {connection.value === 'live' ? 'Live' : 'Asking every 5 s'}
        </p>
        {me.value && (
          <p class="who" data-testid="me">
            {me.value.who} <span class="faint">may {me.value.may}</span>
          </p>
        )}
        <Select
          label="Colours"
          value={theme.value}
          options={themes.map((each) => [each, each === 'system' ? 'as the system' : each])}
          onSet={(value) => {
            theme.value = value as Theme;
          }}
          testId="theme"
        />
      </div>
    </header>
  );
}

/** Which store to look at, where there are several. */
function StoreChoice() {
  const health = useQuery('stores', readHealth, 60_000);
  const aliases = health.data?.stores.map(({ alias }) => alias) ?? [];
  const [first] = aliases;
  const isOpen = aliases.length > 1 && storeAlias.value === null;
  useEffect(() => {
    // Without a name events of all stores would come.
    if (!isOpen) return;
    const { path, params } = route.peek();
    navigate(href(path, { ...Object.fromEntries(params), store: first }), { replace: true });
  }, [isOpen, first]);
  if (aliases.length < 2) return null;
  return (
    <Select
      label="Store"
      value={storeAlias.value ?? first ?? ''}
      options={aliases.map((alias) => [alias, alias])}
      onSet={(store) => {
        const [name] = route.value.path;
        navigate(href(name ? [name] : [], { store }));
      }}
      testId="store"
    />
  );
}

/** Tells those who do not see it that another page is there: its heading takes the focus. */
function useFocusOnNavigation(): void {
  const path = route.value.path.join('/');
  useEffect(() => {
    const [name = '', id] = route.value.path;
    const title = id ?? pages.find((page) => page.name === name)?.title;
    document.title = title ? `${title} – Scheduled tasks` : 'Scheduled tasks';
    if (isFirst) {
      isFirst = false;
      return;
    }
    scrollTo(0, 0);
    document.getElementById('title')?.focus({ preventScroll: true });
  }, [path]);
}

let isFirst = true;
