/** An order to the terminal, or one character. */
const token = new RegExp(`${'\x1b'}\\[(\\??)(\\d*)([A-Za-z])|[\\s\\S]`, 'gu');

/**
 * As much of a terminal as the panel needs: shows what has been written, as the lines of its screen and of what has
 * scrolled off. Fails for any order that it does not know.
 */
export class Terminal {
  readonly columns: number;
  readonly rows: number;
  readonly #lines: string[] = [''];
  #row = 0;
  #column = 0;
  #wraps = true;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  /** What is on it, from the first line that was ever written. */
  get lines(): string[] {
    return this.#lines.map((line) => line.trimEnd());
  }

  write(text: string): void {
    for (const [piece, mode, parameter, order] of text.matchAll(token)) {
      if (order) this.#obey(`${mode}${order}`, Number(parameter || 1), parameter ?? '');
      else if (piece === '\n') this.#moveTo(this.#row + 1, 0);
      else if (piece === '\r') this.#column = 0;
      else this.#put(piece);
    }
  }

  #obey(order: string, count: number, parameter: string): void {
    const line = this.#lines[this.#row] ?? '';
    if (order === 'A') this.#row = Math.max(this.#row - count, this.#lines.length - this.rows, 0);
    else if (order === 'K' && parameter === '')
      this.#lines[this.#row] = line.slice(0, this.#column);
    else if (order === 'K' && parameter === '2') this.#lines[this.#row] = '';
    else if (order === 'J' && parameter === '') {
      this.#lines[this.#row] = line.slice(0, this.#column);
      for (let row = this.#row + 1; row < this.#lines.length; row++) this.#lines[row] = '';
    } else if (parameter === '7' && order === '?l') this.#wraps = false;
    else if (parameter === '7' && order === '?h') this.#wraps = true;
    else if (order === 'm' || parameter === '2026') return;
    else throw new Error(`The terminal does not know the order ${parameter}${order}.`);
  }

  #put(character: string): void {
    if (this.#column === this.columns) {
      if (this.#wraps) this.#moveTo(this.#row + 1, 0);
      else this.#column--;
    }
    const line = (this.#lines[this.#row] ?? '').padEnd(this.#column);
    this.#lines[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
    this.#column++;
  }

  #moveTo(row: number, column: number): void {
    while (this.#lines.length <= row) this.#lines.push('');
    this.#row = row;
    this.#column = column;
  }
}
