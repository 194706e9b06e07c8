import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Extractor, ExtractorConfig, type ExtractorMessage } from '@microsoft/api-extractor';
import { scratchFolder } from './scratch.ts';
import { exportTargets, type Package } from './workspace.ts';

/** The declarations of each import path of a package, with the name of its report. */
export function reports({ folder, id, manifest }: Package) {
  return exportTargets(manifest)
    .map(({ subpath, files }) => ({
      declarations: files.find((file) => file.endsWith('.d.ts')),
      name: subpath === '.' ? id : `${id}-${subpath.slice(2)}`,
    }))
    .flatMap(({ declarations, name }) =>
      declarations === undefined ? [] : [{ declarations: join(folder, declarations), name }],
    );
}

/**
 * Compares what a package exports with the reports in its `api` folder, or writes the reports anew.
 *
 * @returns what is out of date; nothing after an update.
 */
export function apiReportProblems(source: Package, { update }: { update: boolean }): string[] {
  const problems: string[] = [];
  for (const { declarations, name } of reports(source)) {
    const messages: string[] = [];
    const result = Extractor.invoke(extractorConfig(source, declarations, name), {
      localBuild: update,
      messageCallback(message) {
        message.handled = true;
        if (isProblem(message)) messages.push(message.text);
      },
    });
    if (result.apiReportChanged && !update) {
      problems.push(`api/${name}.api.md is out of date: run npm run api:update and review it`);
    } else if (result.errorCount > 0) {
      problems.push(...messages);
    }
  }
  return problems;
}

const isProblem = ({ logLevel }: ExtractorMessage) => logLevel === 'error';

function extractorConfig({ folder }: Package, declarations: string, name: string) {
  const reportFolder = join(folder, 'api');
  mkdirSync(reportFolder, { recursive: true });
  return ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(folder, 'package.json'),
    configObject: {
      projectFolder: folder,
      mainEntryPointFilePath: declarations,
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            target: 'es2024',
            lib: ['es2024', 'esnext.disposable'],
            types: ['node'],
            module: 'nodenext',
            strict: true,
            skipLibCheck: true,
          },
          files: [declarations],
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder,
        reportTempFolder: scratchFolder(),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        compilerMessageReporting: { default: { logLevel: 'error' as never } },
        extractorMessageReporting: {
          default: { logLevel: 'none' as never },
          'ae-forgotten-export': { logLevel: 'none' as never, addToApiReportFile: true },
        },
        tsdocMessageReporting: { default: { logLevel: 'none' as never } },
      },
    },
  });
}
