/** @jsxImportSource preact */

import { number } from './format.js';
import { allRemembered, counted, perMinute, totals } from './histograms.js';
import { slowNow } from './parts.js';
import { type Colour, Plot } from './plot.js';
import { storeAlias } from './router.js';

const colours: Readonly<Record<(typeof counted)[number], Colour>> = {
  succeeded: 'good',
  failed: 'bad',
  retried: 'warn',
  interrupted: 'mute',
  skipped: 'info',
};

/** How many minutes to show: as many as are known, within these bounds. */
const fewestMinutes = 10;
const mostMinutes = 60;
export const throughputNote = 'the last ten minutes, and as long as this page is open';

/** How many runs ended how, in each of the last minutes. */
export function Throughput() {
  const known = allRemembered(storeAlias.value);
  const first = Math.min(...known.map(({ minute }) => Date.parse(minute)), slowNow.value);
  const age = Math.ceil((slowNow.value - first) / 60_000) + 1;
  const count = Math.min(mostMinutes, Math.max(fewestMinutes, age));
  const minutes = perMinute(known, slowNow.value, count);
  const sum = totals(minutes);
  const words = counted.map((name) => `${number(sum[name])} ${name}`).join(', ');
  const [start, end] = [minutes[0], minutes.at(-1)];
  return (
    <Plot
      kind="bars"
      label={`In the last ${count} minutes: ${words}`}
      times={minutes.map(({ at }) => at)}
      series={counted.map((name) => ({
        label: name,
        colour: colours[name],
        values: minutes.map((minute) => minute[name]),
      }))}
      range={start && end && [start.at, end.at + 60_000]}
    />
  );
}
