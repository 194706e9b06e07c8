/** What one measurement gives: figures by name, such as `{ 'drain (tasks/s)': 12_000 }`. */
export type Figures = Readonly<Record<string, number>>;

/** Things that are measured side by side. */
export interface Scenario {
  readonly name: string;
  /** What is measured, and what there is to be said about it, in a line. */
  readonly title: string;
  /** Each is measured once a round, in turn, so that what disturbs the machine disturbs all of them. */
  readonly variants: Readonly<Record<string, (scale: number) => Promise<Figures>>>;
  /** The variant that the others are compared with. */
  readonly baseline?: string;
}
