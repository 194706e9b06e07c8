/** @jsxImportSource preact */

/** What the pages are made of. */

import { computed, signal } from '@preact/signals';
import { Component, type ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { type Problem, serverNow } from './api.js';
import { duration, moment, number, ownZone, relative, shortMoment } from './format.js';
import { pulse } from './live.js';
import { taskHref } from './router.js';
import type { RunView, TaskState } from './types.js';
import { outcomeWords, stateWords } from './words.js';

/** The time by the server's clock, each second anew. */
export const now = signal(serverNow());

/** The same, but only every ten seconds: for what takes a while to draw. */
export const slowNow = computed(() => Math.floor(now.value / 10_000) * 10_000);

export function startClock(): void {
  setInterval(() => {
    if (!document.hidden) now.value = serverNow();
  }, 1000);
  pulse.subscribe(() => {
    now.value = serverNow();
  });
}

/** A moment, as what it is from now, and in full for those who point at it. */
export function When({ at, zone }: { at: string | number; zone?: string | undefined }) {
  const iso = new Date(at).toISOString();
  return (
    <time dateTime={iso} title={`${moment(at, zone)} ${zone ?? ownZone}\n${iso}`}>
      {relative(at, now.value)}
    </time>
  );
}

/** A moment as a time of day, with the date where it is not today's. */
export function At({ at }: { at: string | number }) {
  const iso = new Date(at).toISOString();
  return (
    <time dateTime={iso} title={`${moment(at)} ${ownZone}\n${iso}`}>
      {shortMoment(at, now.value)}
    </time>
  );
}

export function StateBadge({ state, isPaused }: { state: TaskState; isPaused?: boolean }) {
  return (
    <span class="badges">
      <span class={`badge ${state}`}>{stateWords[state]}</span>
      {isPaused && state !== 'paused' && <span class="badge paused">Paused</span>}
    </span>
  );
}

export function OutcomeBadge({ outcome }: { outcome: RunView['outcome'] }) {
  return <span class={`badge ${outcome}`}>{outcomeWords[outcome]}</span>;
}

export function TaskLink({ id }: { id: string }) {
  return (
    <a class="id" href={taskHref(id)} title={id}>
      {id}
    </a>
  );
}

export function Ms({ value }: { value: number | undefined }) {
  if (value === undefined) return <span class="faint">–</span>;
  return <>{Number.isFinite(value) ? duration(value) : 'longer'}</>;
}

interface PanelProps {
  title: string;
  /** Stands beside the title. */
  aside?: ComponentChildren;
  children: ComponentChildren;
  class?: string;
  testId?: string;
}

/** A part of a page, with a heading. */
export function Panel({ title, aside, children, class: name = '', testId }: PanelProps) {
  const id = useId();
  return (
    <section class={`panel ${name}`} aria-labelledby={id} data-testid={testId}>
      <header>
        <h2 id={id}>{title}</h2>
        {aside && <div class="aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

/**
 * What scrolls sideways where there is no room. Then it can be got to by the keyboard, which has to scroll it, and has a
 * name for those who do.
 */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const box = ref.current;
    if (!box) return;
    const observer = new ResizeObserver(() => {
      const isScrolling = box.scrollWidth > box.clientWidth;
      if (isScrolling) {
        box.tabIndex = 0;
        box.role = 'group';
        box.ariaLabel = label;
      } else {
        for (const name of ['tabindex', 'role', 'aria-label']) box.removeAttribute(name);
      }
    });
    observer.observe(box);
    if (box.firstElementChild) observer.observe(box.firstElementChild);
    return () => observer.disconnect();
  }, [label]);
  return (
    <div ref={ref} class="scroll">
      {children}
    </div>
  );
}

interface Column {
  readonly name: ComponentChildren;
  readonly class?: 'number' | 'check';
  /** Whether only those hear its name who do not see what is in it. */
  readonly isHidden?: boolean;
  readonly title?: string;
}

/** The head of a table. */
export function Head({ columns }: { columns: readonly (string | Column)[] }) {
  return (
    <thead>
      <tr>
        {columns.map((column, index) => {
          const {
            name,
            class: kind,
            isHidden,
            title,
          }: Column = typeof column === 'string' ? { name: column } : column;
          return (
            <th key={index} scope="col" class={kind} title={title}>
              {isHidden ? <span class="hidden">{name}</span> : name}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

/** The name of a worker, as short as it can be told apart. */
export function Owner({ name }: { name: string }) {
  const short = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(name)
    ? name.slice(0, 8)
    : name;
  return (
    <span class="id" title={name}>
      {short}
    </span>
  );
}

/** The heading of a page. It takes the focus when the page is gone to. */
export function Title({
  children,
  aside,
}: {
  children: ComponentChildren;
  aside?: ComponentChildren;
}) {
  return (
    <div class="title">
      <h1 tabIndex={-1} id="title">
        {children}
      </h1>
      {aside && <div class="actions">{aside}</div>}
    </div>
  );
}

interface SelectProps {
  label: string;
  value: string;
  /** Each with its words. */
  options: readonly (readonly [value: string, words: string])[];
  onSet: (value: string) => void;
  testId?: string;
}

/** A choice of one of several, with its label. */
export function Select({ label, value, options, onSet, testId }: SelectProps) {
  return (
    <label>
      <span>{label}</span>
      <select
        value={value}
        onChange={(event) => onSet(event.currentTarget.value)}
        data-testid={testId}
      >
        {options.map(([each, words]) => (
          <option key={each} value={each}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** Keeps what is around a page, where showing that has failed. */
export class Boundary extends Component<{ children: ComponentChildren }, { message?: string }> {
  static override getDerivedStateFromError(error: unknown) {
    return { message: String(error) };
  }

  override render() {
    const { message } = this.state;
    if (message === undefined) return this.props.children;
    return (
      <>
        <Title>This page could not be shown</Title>
        <p class="trouble" role="alert">
          {message}
        </p>
        <button type="button" onClick={() => location.reload()}>
          Load again
        </button>
      </>
    );
  }
}

/** What could not be read, and why. */
export function Trouble({ problem }: { problem: Problem | undefined }) {
  if (!problem) return null;
  return (
    <p class="trouble" role="alert">
      {problem.message} <code>{problem.code}</code>
    </p>
  );
}

interface Loadable<T> {
  readonly data: T | undefined;
  readonly problem: Problem | undefined;
}

/** What has been read, or why not. */
export function Loaded<T>(props: { of: Loadable<T>; children: (data: T) => ComponentChildren }) {
  const { data, problem } = props.of;
  return (
    <>
      <Trouble problem={problem} />
      {data !== undefined && props.children(data)}
      {data === undefined && !problem && <Empty>Loading…</Empty>}
    </>
  );
}

export function Count({ value }: { value: number | null | undefined }) {
  if (value === null || value === undefined) {
    return (
      <span class="faint" title="There are too many tasks to count them here.">
        many
      </span>
    );
  }
  return <>{number(value)}</>;
}

export function Progress({ value, label }: { value: number | undefined; label: string }) {
  if (value === undefined) return <span class="faint">–</span>;
  return (
    <span class="progress">
      <progress value={value} max={1} aria-label={label} /> {Math.floor(value * 100)} %
    </span>
  );
}

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  wide?: boolean;
}

/** A dialog that is open as long as it is there. */
export function Dialog({ title, onClose, children, wide }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={wide ? 'wide' : ''}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <header>
        <h2 id={id}>{title}</h2>
      </header>
      {children}
      {/* The last, so that a dialog begins with what it is about. */}
      <button type="button" class="plain close" aria-label="Close" onClick={onClose}>
        ✕
      </button>
    </dialog>
  );
}

interface Note {
  readonly key: number;
  readonly text: string;
  readonly isBad: boolean;
  readonly undo: (() => void) | undefined;
}

const notes = signal<readonly Note[]>([]);
const noteMs = 8000;
/** What can be undone, or went wrong, stays for longer. */
const longNoteMs = 20_000;
let noteCount = 0;

/** Tells what has been done, to eyes and ears. */
export function tell(
  text: string,
  { isBad = false, undo }: { isBad?: boolean; undo?: () => void } = {},
) {
  const note = { key: noteCount++, text, isBad, undo };
  notes.value = [...notes.value.slice(-3), note];
  setTimeout(() => dismiss(note.key), undo || isBad ? longNoteMs : noteMs);
}

function dismiss(key: number): void {
  notes.value = notes.value.filter((note) => note.key !== key);
}

export function Notes() {
  return (
    <div class="notes" role="status" aria-live="polite" data-testid="notes">
      {notes.value.map(({ key, text, isBad, undo }) => (
        <div key={key} class={isBad ? 'note bad' : 'note'}>
          <span>{text}</span>
          {undo && (
            <button
              type="button"
              onClick={() => {
                dismiss(key);
                undo();
              }}
            >
              Undo
            </button>
          )}
          <button type="button" class="plain" aria-label="Dismiss" onClick={() => dismiss(key)}>
            ✕
          </button>
        </div>
      ))}
    </div>
  );
}
