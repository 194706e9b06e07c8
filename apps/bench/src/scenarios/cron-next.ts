import { cron as schedCron } from '@sched/core';
import { Cron } from 'croner';
import type { Scenario } from '../scenario.ts';

const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'];
const expressions = ['*/5 * * * *', '30 2 * * *', '0 9 * * MON-FRI', '15 4 1,15 * *', '0 0 29 2 *'];
const start = Date.UTC(2026, 0, 1);
const context = { id: 'bench', declaredAt: start };

/** How far ahead is looked before starting over: schedules are asked for the coming years, not for the year 9000. */
const end = Date.UTC(2036, 0, 1);

/** Walks through the next occurrences of every expression in every zone. Gives microseconds a step. */
function walk(
  steps: number,
  next: (expression: string, timeZone: string) => (at: number) => number,
) {
  const begin = performance.now();
  for (const expression of expressions) {
    for (const timeZone of zones) {
      const step = next(expression, timeZone);
      let at = start;
      for (let i = 0; i < steps; i++) at = at < end ? step(at) : start;
    }
  }
  const count = steps * expressions.length * zones.length;
  return { 'next (µs)': ((performance.now() - begin) * 1000) / count };
}

export const cronNext: Scenario = {
  name: 'cron-next',
  title: 'The next occurrence of a cron expression with a time zone',
  baseline: 'croner',
  variants: async () => [
    {
      name: 'sched',
      run: async (scale) =>
        walk(5000 * scale, (expression, timeZone) => {
          const trigger = schedCron(expression, { timeZone });
          return (at) => trigger.next(at, context) ?? start;
        }),
    },
    {
      name: 'croner',
      run: async (scale) =>
        walk(200 * scale, (expression, timezone) => {
          const job = new Cron(expression, { timezone, paused: true });
          return (at) => job.nextRun(new Date(at))?.getTime() ?? start;
        }),
    },
  ],
};
