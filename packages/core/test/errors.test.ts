import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { errorCodes, isSchedError, SchedError } from '../src/index.js';

const packages = fileURLToPath(new URL('../../', import.meta.url));
const docs = fileURLToPath(new URL('../../../docs/errors.md', import.meta.url));

/** Another copy of the module, as a second installation of the package would bring it. */
async function anotherCopy(): Promise<typeof import('../src/errors.js')> {
  const specifier = '../src/errors.js?another-copy';
  return import(/* @vite-ignore */ specifier);
}

describe('isSchedError', () => {
  test('knows the errors of another copy of this package, where instanceof does not', async () => {
    const other = await anotherCopy();
    expect(other.SchedError).not.toBe(SchedError);
    const error = new other.SchedError('SCHED_TIMEOUT', 'Too long.');
    expect(error).not.toBeInstanceOf(SchedError);
    expect(isSchedError(error)).toBe(true);
    expect(isSchedError(error, 'SCHED_TIMEOUT')).toBe(true);
    expect(isSchedError(error, 'SCHED_CANCELLED')).toBe(false);
    expect(other.isSchedError(new SchedError('SCHED_TIMEOUT', 'Too long.'))).toBe(true);
  });

  test.each([
    ['undefined', undefined],
    ['null', null],
    ['text', 'SCHED_TIMEOUT'],
    ['another error', new Error('SCHED_TIMEOUT')],
    ['an error with a code', Object.assign(new Error('a'), { code: 'SCHED_TIMEOUT' })],
    ['an object that looks like one', { name: 'SchedError', code: 'SCHED_TIMEOUT', details: {} }],
  ])('does not take %s for one', (_, value) => {
    expect(isSchedError(value)).toBe(false);
  });

  test('is not confused by JSON, in which the mark cannot be forged', () => {
    const error = new SchedError('SCHED_TIMEOUT', 'Too long.');
    expect(isSchedError(JSON.parse(JSON.stringify(error)))).toBe(false);
  });
});

test('an error carries its code, its details and its cause', () => {
  const cause = new Error('underneath');
  const error = new SchedError('SCHED_TIMEOUT', 'Too long.', { cause, details: { ms: 5 } });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: 'SchedError',
    code: 'SCHED_TIMEOUT',
    message: 'Too long.',
    cause,
    details: { ms: 5 },
  });
  expect(new SchedError('SCHED_TIMEOUT', 'Too long.')).not.toHaveProperty('cause');
});

describe('the codes', () => {
  const codes = Object.keys(errorCodes);

  /** What a package's source says, without the file that lists the codes. */
  function sourceOf(name: string): string {
    const folder = `${packages}${name}/src`;
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && path !== 'errors.ts')
      .map((path) => readFileSync(`${folder}/${path}`, 'utf8'))
      .join('\n');
  }

  test('are each documented, and only they are', () => {
    const rows = readFileSync(docs, 'utf8').matchAll(/^\| `(SCHED_\w+)` \|/gm);
    const documented = Array.from(rows, ([, code]) => code);
    expect(documented.toSorted()).toEqual(codes.toSorted());
  });

  test('are each used by some package', () => {
    const source = ['core', 'memory', 'sqlite', 'http'].map(sourceOf).join('\n');
    expect(codes.filter((code) => !source.includes(`'${code}'`))).toEqual([]);
  });

  test('are all that is thrown anywhere in core', () => {
    const used = new Set(
      Array.from(sourceOf('core').matchAll(/'(SCHED_\w+)'/g), ([, code]) => code),
    );
    expect([...used].filter((code) => !codes.includes(code ?? ''))).toEqual([]);
  });

  test('say what they mean in one sentence', () => {
    for (const meaning of Object.values(errorCodes)) expect(meaning).toMatch(/^[A-Z].*\.$/);
  });
});
