// What every published package has in common, and the few facts in which they differ. A new package
// is added here; the checks themselves know no package by name.

/** The scripts of every published package. */
export const scripts = {
  build: 'tsup',
  test: 'vitest run',
  typecheck: 'tsc --noEmit',
  lint: 'biome check .',
  format: 'biome check --write .',
};

/** The fields of `package.json` that say the same everywhere. */
export const fields = {
  license: 'MIT',
  author: 'The @sched authors',
  type: 'module',
  sideEffects: false,
  engines: { node: '>=22' },
  files: ['dist'],
  publishConfig: { access: 'public' },
};

/** What every published package has. */
export const files = [
  'README.md',
  'package.json',
  'src/index.ts',
  'test',
  'tsconfig.json',
  'tsup.config.ts',
  'vitest.config.ts',
];

/** Files whose whole text is known. */
export const texts = {
  'tsconfig.json': '{\n  "extends": "@sched-tooling/tsconfig/base.json"\n}\n',
  'vitest.config.ts': "import preset from '@sched-tooling/vitest';\n\nexport default preset;\n",
};

/** The package that the others depend on as a peer. */
export const core = 'core';

/** What does the same job in every adapter is called the same. */
const adapterFiles = ['calls', 'client', 'connect', 'errors', 'options', 'session'].map(
  (name) => `src/${name}.ts`,
);

/** The published packages that hold a data store, and which of an adapter's files they need. */
export const adapters: Record<string, { files: string[] }> = {
  // Keeps its records in objects: nothing to create, no driver to describe.
  memory: { files: [] },
  sqlite: { files: [...adapterFiles, 'src/schema.ts'] },
  postgres: { files: [...adapterFiles, 'src/schema.ts'] },
  redis: { files: [...adapterFiles, 'src/scripts.ts'] },
  mysql: { files: [...adapterFiles, 'src/schema.ts'] },
  mongo: { files: [...adapterFiles, 'src/schema.ts'] },
  dynamodb: { files: [...adapterFiles, 'src/schema.ts'] },
};

/** A published package that is a command, which exports nothing. */
export interface CommandPackage {
  name: string;
  files: string[];
  /** Whether it works on stores: then core is its peer, and adapters are, if they are there. */
  worksOnStores: boolean;
}

export const commands: Record<string, CommandPackage> = {
  cli: { name: '@sched/cli', files: ['dist'], worksOnStores: true },
  'create-sched-adapter': {
    name: 'create-sched-adapter',
    files: ['dist', 'templates'],
    worksOnStores: false,
  },
};

/** The published packages that are over core's public API, and hold no data store. */
export const libraries: readonly string[] = ['dashboard', 'http', 'opentelemetry'];

/** The longest conformance test, in lines: it names the store and nothing else. */
export const conformanceTestLines = 19;
