/** Texts that some database, driver, protocol or language mistakes for others. */
export const oddTexts: readonly string[] = [
  ...[
    '',
    ' ',
    'a',
    'A',
    'á',
    'a\u0301',
    'Á',
    'a ',
    ' a',
    'a  ',
    'a\t',
    'a\u00a0',
    'ａ',
    'Ａ',
    'aa',
  ],
  ...['ß', 'ss', 'SS', 'ẞ', 'ı', 'i', 'I', 'İ', 'σ', 'ς', 'ﬀ', 'ff', '²', '2', '２', 'Å', '\u212b'],
  ...["'", '"', '`', "''", "'; DROP TABLE tasks; --", '\\', '\\0', "\\'", '%', '_', '%s', '$1'],
  ...['?', ':id', '@id', '*', '[a]', '{a}', '{}', 'a:b', 'a/b', '../a', 'a#b', 'a.b', 'a,b', '$'],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'null', 'undefined', 'NaN', 'true'],
  ...['0', '00', '-0', '1', '1.0', '1e3', '0x10', '9007199254740993', '🎉', '👩‍👩‍👧', '日本'],
  ...['\u200b', 'a\u200b', 'a\u200d', '\u2028', '\ufeff', '\uffff', 'a\u00ad', '\n', '\u007f'],
];

/** Of 255 bytes. */
export const longTexts: readonly string[] = [
  ...['x'.repeat(255), 'X'.repeat(255), `${'x'.repeat(254)}y`, `${'é'.repeat(127)}z`],
  ...['🎉'.repeat(63), `${'x'.repeat(254)} `, 'x'.repeat(254)],
];

/** Of 255 to 300 bytes. */
export const longIds: readonly string[] = [
  ...[...longTexts, 'x'.repeat(300), `${'x'.repeat(299)}y`, '🎉'.repeat(75), 'é'.repeat(150)],
  ...[`${'x'.repeat(299)} `, `${'x'.repeat(299)}X`, 'x'.repeat(299)],
];

/** A text, and others that a store must not take it for. */
export interface Twins {
  readonly text: string;
  readonly twins: readonly string[];
}

export const twinTexts: readonly Twins[] = [
  { text: 'A', twins: ['a', 'A ', ' A', 'Á', 'Ａ', '\u0391', 'AA'] },
  { text: 'a', twins: ['A', 'a ', ' a', 'á', 'ａ', '\u0430', 'aa'] },
  { text: 'a ', twins: ['a', 'a  ', 'a\t', 'a\u00a0', 'a\u200b', 'A '] },
  { text: '\u00e9', twins: ['e\u0301', 'e', '\u00c9', 'E\u0301', 'ê'] },
  { text: 'e\u0301', twins: ['\u00e9', 'e', '\u00c9', 'E\u0301', '\u0301e'] },
  { text: 'straße', twins: ['strasse', 'STRASSE', 'STRAẞE', 'strase'] },
  { text: 'ﬀ２', twins: ['ff2', 'ff２', 'FF2', 'ﬀ2'] },
  { text: 'a\u200bb', twins: ['ab', 'a b', 'a\u200cb', 'a\u00adb', 'a\ufeffb'] },
  { text: '', twins: [' ', '\u200b', 'null', 'undefined', '0', 'a'] },
  { text: '10', twins: ['010', '1e1', '10.0', '10 ', '１０', '0xa'] },
  { text: '%', twins: ['a', '_', '%%', '\\%', '*'] },
  { text: 'ПРИВЕТ', twins: ['привет', 'Привет', 'ПРИВЁТ'] },
];

export const longTwinTexts: readonly Twins[] = [
  { text: 'x'.repeat(255), twins: ['x'.repeat(254), `${'x'.repeat(254)}X`, `${'x'.repeat(254)}y`] },
  { text: `${'x'.repeat(254)} `, twins: ['x'.repeat(254), 'x'.repeat(255)] },
  { text: `${'é'.repeat(127)}z`, twins: [`${'é'.repeat(127)}Z`, `${'é'.repeat(126)}éz`.slice(1)] },
];

/** Longer than a name, queue or group can be. */
export const longTwinIds: readonly Twins[] = [
  { text: 'x'.repeat(300), twins: ['x'.repeat(299), `${'x'.repeat(299)}X`, `${'x'.repeat(299)}y`] },
  { text: `${'x'.repeat(299)} `, twins: ['x'.repeat(299), 'x'.repeat(300), 'x'.repeat(255)] },
];

/** Escapes odd text, because twins look alike. */
export function show(text: string): string {
  const visible = text.length > 40 ? `${text.slice(0, 30)}… (${text.length} units)` : text;
  const escaped = JSON.stringify(visible);
  return escaped.replaceAll(/[^ -~]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
}
