import { expect, test } from 'vitest';
import { roughLength } from '../src/times.js';

test.each([
  [0, '0s'],
  [999, '999ms'],
  [1499, '1s'],
  [59_999, '1m'],
  [61_400, '1m1s'],
  [7_199_999, '2h'],
  [7_170_001, '2h'],
  [7_169_999, '1h59m'],
  [36_100_000, '10h'],
  [1_036_800_000, '12d'],
])('%d ms are said to be %s', (ms, text) => expect(roughLength(ms)).toBe(text));
