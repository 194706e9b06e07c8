/** @jsxImportSource preact */

import { Fragment } from 'preact';
import { useState } from 'preact/hooks';
import { canAdmin, getGlobal } from './api.js';
import { pretty } from './format.js';
import { At, Empty, Head, Loaded, Scroll, TaskLink, Title } from './parts.js';
import { useQuery } from './query.js';
import type { AuditAnswer, AuditEntry } from './types.js';

export function Audit() {
  if (!canAdmin()) {
    return (
      <>
        <Title>Audit</Title>
        <Empty>Only those who may do everything see who has changed what.</Empty>
      </>
    );
  }
  return <Entries />;
}

function Entries() {
  const audit = useQuery('audit', (signal) =>
    getGlobal<AuditAnswer>('audit', { limit: 200 }, signal),
  );
  return (
    <>
      <Title>Audit</Title>
      <p class="intro">
        The latest changes that were made through this process, by this page or by programs. The
        audit sink of the server has all of them.
      </p>
      <Loaded of={audit}>
        {({ entries }) =>
          entries.length === 0 ? (
            <Empty>No change has been made since this process began.</Empty>
          ) : (
            <section class="panel flush" aria-label="Changes">
              <Scroll label="Audit">
                <table data-testid="audit">
                  <Head
                    columns={[
                      'When',
                      'Who',
                      'Did what',
                      'To',
                      'Outcome',
                      { name: 'Details', isHidden: true },
                    ]}
                  />
                  <tbody>
                    {entries.map((entry, index) => (
                      <Entry key={`${entries.length - index} ${entry.at}`} entry={entry} />
                    ))}
                  </tbody>
                </table>
              </Scroll>
            </section>
          )
        }
      </Loaded>
    </>
  );
}

function Entry({ entry }: { entry: AuditEntry }) {
  const [isOpen, setIsOpen] = useState(false);
  const { at, who, may, action, store, id, selection, changed, before, after, outcome } = entry;
  const differences = before && after ? differencesOf(before, after) : [];
  return (
    <>
      <tr>
        <td class="nowrap">
          <At at={at} />
        </td>
        <td>
          {who} <span class="faint">{may}</span>
        </td>
        <td>
          <code>{action}</code>
        </td>
        <td>
          {id === null ? `${changed ?? 0} tasks` : <TaskLink id={id} />}
          {store !== null && <span class="faint"> in {store}</span>}
        </td>
        <td>
          <span class={`badge ${outcome === 'ok' ? 'succeeded' : 'failed'}`}>
            {outcome === 'ok' ? 'Done' : outcome}
          </span>
        </td>
        <td class="buttons">
          <button type="button" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
            {isOpen ? 'Less' : 'Details'}
          </button>
        </td>
      </tr>
      {isOpen && (
        <tr class="details">
          <td colSpan={6}>
            {selection !== undefined && <pre>{pretty(selection)}</pre>}
            {differences.map(([name, was, is]) => (
              <Fragment key={name}>
                <h3>{name}</h3>
                <div class="columns even">
                  <pre>{was}</pre>
                  <pre>{is}</pre>
                </div>
              </Fragment>
            ))}
            {before && !after && (
              <>
                <h3>What was there</h3>
                <pre>{pretty(before)}</pre>
              </>
            )}
            {!before && after && (
              <>
                <h3>What is there now</h3>
                <pre>{pretty(after)}</pre>
              </>
            )}
            {before && after && differences.length === 0 && (
              <Empty>Nothing was different afterwards.</Empty>
            )}
          </td>
        </tr>
      )}
    </>
  );
}

/** The members in which two objects differ, as texts. */
function differencesOf(before: object, after: object): [string, string, string][] {
  const was = before as Record<string, unknown>;
  const is = after as Record<string, unknown>;
  return [...new Set([...Object.keys(was), ...Object.keys(is)])]
    .map((name): [string, string, string] => [name, pretty(was[name]), pretty(is[name])])
    .filter(([, a, b]) => a !== b);
}
