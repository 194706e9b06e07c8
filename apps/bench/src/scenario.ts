/** What one measurement gives: figures by name, such as `{ 'drain (tasks/s)': 12_000 }`. */
export type Figures = Readonly<Record<string, number>>;

/** One of the things that are measured side by side. */
export interface Variant {
  readonly name: string;
  /** What a reader has to know of it. */
  readonly note?: string;
  run(scale: number): Promise<Figures>;
}

/** Things that are measured side by side. */
export interface Scenario {
  readonly name: string;
  /** What is measured, and what there is to be said about it, in a line. */
  readonly title: string;
  /** What is the same for all, such as the durability. */
  readonly note?: string;
  /** The variant that the others are compared with. */
  readonly baseline?: string;
  /** Each is measured once a round, in turn, so that what disturbs the machine disturbs all of them. */
  variants(): Promise<readonly Variant[]>;
}
