import type { Figures, Scenario, Variant } from './scenario.ts';
import { median } from './stats.ts';

/** One figure of one variant over all rounds. */
export interface Row {
  readonly variant: string;
  readonly figure: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** The median, over the rounds, of this figure divided by the baseline's of the same round. */
  readonly ratio: number | null;
  /** One a round. */
  readonly values: readonly number[];
}

/** What came out of a scenario. */
export interface Outcome {
  readonly name: string;
  readonly title: string;
  readonly note?: string;
  readonly baseline?: string;
  readonly variants: readonly { readonly name: string; readonly note?: string }[];
  readonly rows: readonly Row[];
  /** What went wrong; a variant is not measured again after that. */
  readonly failures: Readonly<Record<string, string>>;
}

/** Measures every variant once a round; every other round in reverse order, so that none is always first. */
export async function measure(
  { name, title, note, baseline, variants }: Scenario,
  rounds: number,
  scale: number,
  say: (text: string) => void,
): Promise<Outcome> {
  const all = await variants();
  const measured = new Map<Variant, Figures[]>(all.map((variant) => [variant, []]));
  const failures: Record<string, string> = {};
  for (let round = 1; round <= rounds; round++) {
    for (const variant of round % 2 === 0 ? all.toReversed() : all) {
      if (failures[variant.name] !== undefined) continue;
      say(`round ${round} of ${rounds}: ${variant.name}`);
      try {
        measured.get(variant)?.push(await variant.run(scale));
      } catch (error) {
        failures[variant.name] = error instanceof Error ? error.message : String(error);
        say(`failed: ${error instanceof Error ? error.stack : error}`);
      }
    }
  }
  const base = all.find((variant) => variant.name === baseline);
  return {
    ...{ name, title, failures },
    ...(note !== undefined && { note }),
    ...(baseline !== undefined && { baseline }),
    variants: all.map((each) => ({
      name: each.name,
      ...(each.note !== undefined && { note: each.note }),
    })),
    rows: all.flatMap((variant) =>
      summarise(variant.name, measured.get(variant) ?? [], base && measured.get(base)),
    ),
  };
}

function summarise(
  variant: string,
  rounds: readonly Figures[],
  baseline: readonly Figures[] | undefined,
): Row[] {
  return Object.keys(rounds[0] ?? {}).map((figure) => {
    const values = rounds.map((figures) => figures[figure] ?? Number.NaN);
    const ratio = median(
      values.map((value, round) => value / (baseline?.[round]?.[figure] ?? Number.NaN)),
    );
    return {
      ...{ variant, figure },
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
      ratio: Number.isFinite(ratio) ? ratio : null,
      values,
    };
  });
}
