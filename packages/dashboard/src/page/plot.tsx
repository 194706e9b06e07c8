/** @jsxImportSource preact */

/** Plots, by uPlot. */

import { effect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { ownZone } from './format.js';
import { colours } from './theme.js';

/** The name of a custom property of the style sheet, without its dashes. */
export type Colour = 'good' | 'bad' | 'warn' | 'info' | 'mute' | 'accent';

interface Series {
  readonly label: string;
  readonly colour: Colour;
  readonly values: readonly (number | null)[];
}

interface PlotProps {
  /** What the plot shows, in words. */
  label: string;
  /** Epoch milliseconds, the earliest first. */
  times: readonly number[];
  series: readonly Series[];
  /** `bars` stand on each other. `points` stand for themselves. */
  kind: 'bars' | 'points';
  /** What the values are, where it is not just a number of them. */
  format?: (value: number) => string;
  height?: number;
  /** From when to when, in epoch milliseconds; else what there is. */
  range?: readonly [number, number] | undefined;
  /** How much time one bar is for. */
  stepMs?: number;
  isLog?: boolean;
}

const formatDefault = (value: number) => String(value);

export function Plot(props: PlotProps) {
  const ref = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const plot = useRef<uPlot | undefined>(undefined);
  const { label, series, kind, height = 150 } = props;
  const shape = JSON.stringify([kind, height, series.map((each) => [each.label, each.colour])]);
  useEffect(() => {
    const box = ref.current;
    if (!box) return;
    const stop = effect(() => {
      plot.current?.destroy();
      plot.current = new uPlot(
        optionsFor(latest.current, box.clientWidth, colours.value),
        dataOf(latest.current),
        box,
      );
    });
    const observer = new ResizeObserver(() => {
      if (box.clientWidth > 0) plot.current?.setSize({ width: box.clientWidth, height });
    });
    observer.observe(box);
    return () => {
      observer.disconnect();
      stop();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape]);
  useEffect(() => {
    plot.current?.setData(dataOf(props));
  });
  return (
    <figure class="plot">
      <div ref={ref} role="img" aria-label={label} />
      <figcaption aria-hidden="true">
        {series.map((each) => (
          <span key={each.label}>
            <i class={`swatch ${each.colour}`} /> {each.label}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

/** The data; stacked, where there are bars: the last series of uPlot is the lowest, drawn over the others. */
function dataOf({ times, series, kind }: PlotProps): uPlot.AlignedData {
  const xs = times.map((time) => time / 1000);
  if (kind === 'points') return [xs, ...series.map(({ values }) => [...values])];
  let below: number[] = xs.map(() => 0);
  const stacked = series.map(({ values }) => {
    below = below.map((sum, index) => sum + (values[index] ?? 0));
    return below;
  });
  return [xs, ...stacked.reverse()];
}

function optionsFor(
  { series, kind, format = formatDefault, height = 150, range, stepMs = 60_000, isLog }: PlotProps,
  width: number,
  palette: Readonly<Record<string, string>>,
): uPlot.Options {
  const order = kind === 'bars' ? series.toReversed() : series;
  const axis = {
    stroke: palette.mute ?? '',
    grid: { stroke: palette.line ?? '', width: 1 },
    ticks: { stroke: palette.line ?? '', width: 1, size: 4 },
    font: '11px system-ui, sans-serif',
  };
  const bars = uPlot.paths.bars?.({ size: [0.8, 40], align: 1 });
  return {
    width,
    height,
    legend: { show: false },
    cursor: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), ownZone),
    scales: {
      x: {
        time: true,
        range: (_plot, low, high) =>
          range
            ? [range[0] / 1000, range[1] / 1000]
            : [low ?? 0, (high ?? 0) + (kind === 'bars' ? stepMs / 1000 : 0)],
      },
      y: {
        ...(isLog && { distr: 3 as const, log: 10 as const }),
        range: (_plot, _low, high) =>
          isLog
            ? [1, Math.max(1000, 10 ** Math.ceil(Math.log10(high ?? 1)))]
            : [0, Math.max(high ?? 0, 4)],
      },
    },
    axes: [
      { ...axis, size: 26, values: clockTexts },
      {
        ...axis,
        size: 56,
        ...(isLog && { splits: powersOfTen }),
        values: (_plot, values) =>
          values.map((value) =>
            value === null || (!isLog && !Number.isInteger(value)) ? '' : format(value),
          ),
      },
    ],
    series: [
      {},
      ...order.map(({ label, colour }) =>
        kind === 'bars'
          ? {
              label,
              fill: palette[colour] ?? '',
              width: 0,
              points: { show: false },
              ...(bars && { paths: bars }),
            }
          : {
              label,
              paths: () => null,
              points: {
                show: true,
                size: 7,
                width: 0,
                fill: palette[colour] ?? '',
                stroke: palette[colour] ?? '',
              },
            },
      ),
    ],
  };
}

function powersOfTen(_plot: uPlot, _axis: number, low: number, high: number): number[] {
  const powers: number[] = [];
  for (let power = low; power <= high; power *= 10) powers.push(power);
  return powers;
}

function clockTexts(
  _plot: uPlot,
  seconds: number[],
  _axis: number,
  _space: number,
  step: number,
): string[] {
  const options = { hour: '2-digit', minute: '2-digit' } as const;
  return seconds.map((each) =>
    new Date(each * 1000).toLocaleTimeString('en-GB', {
      ...options,
      ...(step < 60 && { second: '2-digit' }),
    }),
  );
}
