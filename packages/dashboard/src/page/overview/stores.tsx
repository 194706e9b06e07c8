/** @jsxImportSource preact */

import { duration } from '../format.js';
import { Head, Loaded, Panel, Scroll } from '../parts.js';
import { useQuery } from '../query.js';
import { readHealth } from '../stores.js';

export function Stores() {
  const health = useQuery('health', readHealth, 10_000);
  return (
    <Panel title="Stores" testId="stores" aside="as this process sees them">
      <Loaded of={health}>
        {({ stores }) => (
          <Scroll label="Stores">
            <table>
              <Head
                columns={[
                  'Store',
                  'Kind',
                  'Health',
                  { name: 'Answers in', class: 'number' },
                  {
                    name: 'Clock off by',
                    class: 'number',
                    title: "By how much this process's clock is off",
                  },
                ]}
              />
              <tbody>
                {stores.map(({ alias, name, isUp, latencyMs, clockOffsetMs, error }) => (
                  <tr key={alias}>
                    <th scope="row">{alias}</th>
                    <td>{name}</td>
                    <td>
                      <span class={`badge ${isUp ? 'succeeded' : 'failed'}`}>
                        {isUp ? 'Up' : 'Down'}
                      </span>
                      {error && <span class="words"> {error.message}</span>}
                    </td>
                    <td class="number">{duration(latencyMs)}</td>
                    <td class="number">{clockOffsetMs === null ? '–' : duration(clockOffsetMs)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </Loaded>
    </Panel>
  );
}
