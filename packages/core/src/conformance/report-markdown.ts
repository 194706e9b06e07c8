import type { ConformanceReport, ConformanceResult } from './report.js';
import { levelNames, verdict } from './report.js';
import { guarantees, levels } from './types.js';

/** The report as a page for people. */
export function reportMarkdown(report: ConformanceReport): string {
  const { core, runtime, platform } = report.versions;
  const failures = report.cases.filter(({ ok }) => !ok);
  return [
    `# Conformance of ${report.store}`,
    `**${verdict(report)}**`,
    `\`@sched/core\` ${core}, ${runtime}, ${platform}. Random cases ran with the seeds ${list(report.seeds)}.`,
    levelTable(report),
    capabilityTable(report),
    ...(failures.length > 0 ? ['## Failures', ...failures.map(failureText)] : []),
    '## Cases',
    caseTable(report),
  ]
    .join('\n\n')
    .concat('\n');
}

function levelTable({ levels: reports }: ConformanceReport): string {
  const rows = levelNames.flatMap((level) => {
    const own = reports[level];
    if (!own) return [];
    return `| ${level} | ${levels[level]} | ${own.passed} | ${own.failed} | ${own.seconds.toFixed(1)} |`;
  });
  return ['| level | | passed | failed | seconds |', '|---|---|--:|--:|--:|', ...rows].join('\n');
}

function capabilityTable({ capabilities }: ConformanceReport): string {
  const rows = Object.entries(capabilities).map(
    ([name, claimed]) => `| \`${name}\` | ${claimed ? 'yes' : 'no'} |`,
  );
  return ['| capability | claimed |', '|---|---|', ...rows].join('\n');
}

function failureText({ name, guarantee, message = '' }: ConformanceResult): string {
  const fence = '`'.repeat(3);
  return `### ${guarantee} ${guarantees[guarantee]}: ${name}\n\n${fence}text\n${message}\n${fence}`;
}

function caseTable({ cases }: ConformanceReport): string {
  const rows = cases.map(
    ({ ok, level, guarantee, name, ms }) =>
      `| ${ok ? 'passed' : '**failed**'} | ${level} | ${guarantee} | ${name.replaceAll('|', '\\|')} | ${Math.round(ms)} |`,
  );
  return ['| | level | guarantee | case | ms |', '|---|---|---|---|--:|', ...rows].join('\n');
}

function list(values: readonly unknown[]): string {
  return values.length > 0 ? values.join(', ') : '(none)';
}
