import { readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { trackedFiles } from './tracked-files.ts';
import { root } from './workspace.ts';

/** A TypeScript block of a Markdown file. */
export interface CodeBlock {
  /** The Markdown file, absolute. */
  file: string;
  /** The line of the file on which the code begins, from 0. */
  line: number;
  code: string;
  /** The file that it is, absolute, if it says: others import it by that name. */
  path?: string;
}

/** The Markdown files of the repository that people write. */
export function markdownFiles(): string[] {
  return trackedFiles('*.md')
    .filter((path) => !/(^|\/)CHANGELOG\.md$|\.api\.md$/.test(path))
    .map((path) => join(root, path));
}

/**
 * The "```ts" blocks of a Markdown file. Each is a module of its own, except that one which begins
 * with "```ts continued" goes on where the one before it ended, and one which begins with the name of
 * a file, as in "```ts src/index.ts", goes on where the last of that name ended.
 */
export function codeBlocks(file: string, text = readFileSync(file, 'utf8')): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: CodeBlock | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = line.trim();
    const name = /^```ts (\S+\.ts)$/.exec(fence)?.[1];
    const path = name && join(dirname(file), basename(file, '.md'), name);
    const known = path && blocks.find((block) => block.path === path);
    if (open !== undefined) {
      if (fence === '```') open = undefined;
      else open.code += `${line}\n`;
    } else if (known || (fence === '```ts continued' && blocks.length > 0)) {
      open = known || blocks.at(-1);
      // Empty lines for the prose in between keep the line numbers right.
      if (open !== undefined) open.code += '\n'.repeat(index + 1 - endLine(open));
    } else if (/^```(ts|typescript)\b/.test(fence)) {
      open = { file, line: index + 1, code: '', ...(path && { path }) };
      blocks.push(open);
    }
  }
  return blocks;
}

const endLine = ({ line, code }: CodeBlock) => line + code.split('\n').length - 1;

/** Type-checks the blocks as a user's strict project would, against the built packages. */
export function typeProblems(blocks: CodeBlock[]): string[] {
  const byName = new Map(
    blocks.map((block) => [block.path ?? `${block.file}.${block.line}.ts`, block]),
  );
  const folders = new Set(blocks.flatMap(({ path }) => (path ? dirname(path) : [])));
  const options: ts.CompilerOptions = {
    ...readBaseOptions(),
    noUnusedLocals: false,
    noUnusedParameters: false,
    // Files that run as they are name each other as they are.
    allowImportingTsExtensions: true,
    paths: {
      '@sched/core/*': [join(root, 'packages/core/dist/*/index.d.ts')],
      '@sched/dashboard/*': [join(root, 'packages/dashboard/dist/*/index.d.ts')],
      '@sched/http/*': [join(root, 'packages/http/dist/*/index.d.ts')],
      '@sched/*': [join(root, 'packages/*/dist/index.d.ts')],
      // The frameworks that the HTTP API is mounted in.
      ...Object.fromEntries(frameworks.map((name) => [name, typesOf(name)])),
      // The database of the guide for authors of adapters.
      lmdb: [join(root, 'apps/example-adapter/node_modules/lmdb/index.d.ts')],
    },
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, directoryExists, readFile, getSourceFile } = host;
  host.directoryExists = (name) => folders.has(name) || (directoryExists?.(name) ?? true);
  host.fileExists = (name) => byName.has(name) || fileExists(name);
  host.readFile = (name) => byName.get(name)?.code ?? readFile(name);
  host.getSourceFile = (name, target, ...rest) => {
    const block = byName.get(name);
    return block === undefined
      ? getSourceFile(name, target, ...rest)
      : ts.createSourceFile(name, block.code, target);
  };
  const program = ts.createProgram([...byName.keys()], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start, code, messageText }) => {
    const message = `TS${code}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    const block = file && byName.get(file.fileName);
    if (block === undefined || file === undefined || start === undefined) return message;
    const line = block.line + file.getLineAndCharacterOfPosition(start).line + 1;
    return `${relative(root, block.file)}:${line} ${message}`;
  });
}

const frameworks = ['express', 'fastify', 'hono', 'koa', '@nestjs/common', '@nestjs/core'];

/** Where the types of a module are that only the tests of the HTTP API have. */
function typesOf(name: string): string[] {
  const from = join(root, 'packages/http/test/frameworks.test.ts');
  const mode = ts.ModuleKind.ESNext;
  const options = readBaseOptions();
  const { resolvedModule } = ts.resolveModuleName(
    name,
    from,
    options,
    ts.sys,
    undefined,
    undefined,
    mode,
  );
  return resolvedModule ? [resolvedModule.resolvedFileName] : [];
}

function readBaseOptions(): ts.CompilerOptions {
  const path = join(root, 'tooling/tsconfig/base.json');
  const { config } = ts.readConfigFile(path, ts.sys.readFile);
  return ts.convertCompilerOptionsFromJson(config.compilerOptions, root).options;
}
