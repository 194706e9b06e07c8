import type { Amounts } from './database.ts';
import type { Figures } from './scenario.ts';
import type { Stage } from './stage.ts';

/** Something that is asked of every contender on every database. */
export interface Workload {
  readonly name: string;
  title(amounts: Amounts): string;
  /** The contender that the others are compared with. */
  readonly baseline: string;
  /** Whether slow contenders are given fewer tasks. */
  readonly asksHowFast?: boolean;
  /** Whether it makes no sense where a place is gone with its process. */
  readonly needsProcesses?: boolean;
  /**
   * @param amounts of this contender on this database
   * @param scale of what does not depend on the database
   */
  measure(stage: Stage, amounts: Amounts, scale: number): Promise<Figures>;
}
