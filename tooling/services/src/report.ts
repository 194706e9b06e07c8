import { type Outcome, variableOf } from './client.ts';

type Missing = Extract<Outcome, { missing: string }>;

/** The services that a run lacks and that nothing excuses. */
export function missing(outcomes: Outcome[]): Missing[] {
  return outcomes.filter((outcome) => 'missing' in outcome).filter(({ optional }) => !optional);
}

/** One line on a service that runs. */
export function line(outcome: Outcome): string {
  if ('missing' in outcome) return missingLine(outcome);
  const where = outcome.urls.map((url) => hostOf(url)).join(', ');
  return `ready    ${outcome.name} on ${where}: ${outcome.about}`;
}

/** One line on a service that is missing: its name, why, and what would help. */
export function missingLine({ name, title, missing: why, optional }: Missing): string {
  const first = why.split('\n')[0];
  const head = optional ? 'not here ' : 'MISSING  ';
  return `${head}${name} (${title}): ${first}; ${variableOf(name)} may name one`;
}

/** All that is known about failures which take more than a line to tell. */
export function details(outcomes: Outcome[]): string[] {
  return outcomes.flatMap((outcome) =>
    'missing' in outcome && outcome.missing.includes('\n')
      ? [`${outcome.name}: ${outcome.missing}`]
      : [],
  );
}

/** The variables under which a command finds the services. */
export function variables(outcomes: Outcome[]): Record<string, string> {
  return Object.fromEntries(
    outcomes.flatMap((outcome) =>
      'missing' in outcome ? [] : [[variableOf(outcome.name), outcome.urls.join(',')]],
    ),
  );
}

/** Host and port of a URL, so that no password gets into a log. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'a URL that only its driver understands';
}
