import type { ConformanceReport, ConformanceResult } from './report.js';
import { levelNames, verdict } from './report.js';

/** Where progress is shown: a terminal, a pipe or a file. */
interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Shows how a run goes on: on a terminal a counter and what fails, elsewhere a line for each case. */
export class Progress {
  readonly #output: Output;
  #ended = 0;
  #failed = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  readonly note = (result: ConformanceResult, total: number): void => {
    this.#ended++;
    if (!result.ok) this.#failed++;
    if (!this.#output.isTTY) {
      this.say(line(result));
      return;
    }
    if (!result.ok) this.say(line(result));
    const failed = this.#failed > 0 ? `, ${this.#failed} failed` : '';
    this.#output.write(`${eraseLine}${this.#ended} of ${total}${failed}`);
  };

  say(text: string): void {
    this.#output.write(`${this.#output.isTTY ? eraseLine : ''}${text}\n`);
  }

  /** Says once more, and in full, what failed; then how many cases of each level passed. */
  summarize(report: ConformanceReport): void {
    this.say('');
    for (const { ok, message } of report.cases) if (!ok) this.say(`${message}\n`);
    for (const level of levelNames) {
      const own = report.levels[level];
      if (!own) continue;
      const { passed, failed, seconds } = own;
      const counts = `${passed} passed, ${failed} failed`.padEnd(24);
      this.say(`${level.padEnd(12)} ${counts} ${seconds.toFixed(1)} s`);
    }
    this.say(`\n${verdict(report)}`);
  }
}

const eraseLine = '\r\u001b[K';

function line({ ok, guarantee, name, ms }: ConformanceResult): string {
  return `${ok ? 'ok    ' : 'FAILED'} ${guarantee} ${name} (${Math.round(ms)} ms)`;
}
