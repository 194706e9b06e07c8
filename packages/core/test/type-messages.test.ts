import ts from 'typescript';
import { expect, test } from 'vitest';

const file = new URL('./type-messages.virtual.ts', import.meta.url).pathname;

const prelude = `
import { createScheduler, defineTask, type DataStore, type StandardSchema } from '../src/index.js';
declare const store: DataStore;
declare const schema: StandardSchema<{ to: string; retries: number }>;
const mail = defineTask('mail', { payload: schema });
const ping = defineTask<{ host: string }>('ping');
const sweep = defineTask('sweep', { handler: () => {} });
const it = createScheduler({ store, tasks: [mail, ping, sweep] });
`;

/** What is right compiles. */
const correct = `
it.schedule(sweep);
it.schedule(sweep, { id: 'a', cron: '0 9 * * *', timeZone: 'Europe/Berlin' });
it.schedule(ping, { payload: { host: 'a' } });
it.schedule(mail, { payload: { to: 'a', retries: 1 }, every: { months: 1 }, retry: 3 });
it.scheduleMany([{ task: ping, payload: { host: 'a' } }, { task: sweep, every: '5m' }]);
it.scheduleMany(['a', 'b'].map((host) => ({ task: ping, payload: { host }, id: host })));
it.sync([{ task: sweep, id: 'a', overlap: 'skip' }], { group: 'g' });
it.update('a', { cron: '0 9 * * *', timeZone: 'Europe/Berlin', payload: { to: 'b' } });
`;

/** The commonest mistakes, and what the compiler is to say. */
const mistakes: readonly [code: string, message: RegExp][] = [
  ['it.schedule(ping);', /Expected 2 arguments, but got 1\./],
  ["it.schedule(ping, { every: '5m' });", /Property 'payload' is missing/],
  ["it.schedule(ping, { host: 'a' });", /'host' does not exist/],
  ['it.schedule(ping, { payload: { host: 5 } });', /'number' is not assignable to type 'string'/],
  ["it.schedule(sweep, { payload: { host: 'a' } });", /is not assignable to type 'void'/],
  ["it.schedule(sweep, undefined, { id: 'a' });", /Expected 1-2 arguments, but got 3\./],
  ["it.schedule(sweep, { evry: '5m' });", /'evry' does not exist .* Did you mean to write 'every'/],
  [
    "it.schedule(sweep, { cron: '* * * * *', timezone: 'UTC' });",
    /Did you mean to write 'timeZone'/,
  ],
  ["it.schedule('sweep');", /'string' is not assignable to parameter of type 'TaskDefinition/],
  ["it.schedule(sweep, { overlap: 'queue' });", /Type '"queue"' is not assignable to type/],
  ['it.scheduleMany([{ task: ping, payload: { host: 5 } }]);', /not assignable to type 'string'/],
  ['it.scheduleMany([{ task: ping }]);', /Property 'payload' is missing/],
  ["it.sync([{ task: sweep, id: 'a', evry: '5m' }]);", /'evry' does not exist/],
  ["it.update('a', { retry: { retries: 5 } });", /'retries' does not exist/],
  ["defineTask('t', { timout: '5s' });", /'timout' does not exist/],
  ['createScheduler({ store, concurency: 5 });', /'concurency' does not exist/],
];

function check(lines: readonly string[]): ReadonlyMap<number, string> {
  const source = prelude + lines.join('\n');
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(new URL('../tsconfig.json', import.meta.url).pathname, ts.sys.readFile)
      .config,
    ts.sys,
    new URL('..', import.meta.url).pathname,
  );
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === file
      ? ts.createSourceFile(name, source, ts.ScriptTarget.Latest, true)
      : getSourceFile(name, ...rest);
  const program = ts.createProgram(
    [file],
    { ...options, noEmit: true, noUnusedLocals: false },
    host,
  );
  const sourceFile = program.getSourceFile(file);
  const messages = new Map<number, string>();
  const offset = prelude.split('\n').length - 1;
  for (const { start = 0, messageText } of program.getSemanticDiagnostics(sourceFile)) {
    const line = ts.getLineAndCharacterOfPosition(sourceFile as ts.SourceFile, start).line - offset;
    messages.set(line, ts.flattenDiagnosticMessageText(messageText, '\n'));
  }
  return messages;
}

test('The compiler says in a line or two what is wrong, and accepts what is right', () => {
  const right = correct.trim().split('\n');
  const messages = check([...right, ...mistakes.map(([code]) => code)]);
  expect([...messages].filter(([line]) => line < right.length)).toEqual([]);
  mistakes.forEach(([code, message], index) => {
    const said = messages.get(right.length + index) ?? 'nothing';
    expect.soft(said, code).toMatch(message);
    expect.soft(said.split('\n').length, `${code}\n${said}`).toBeLessThan(3);
  });
});
