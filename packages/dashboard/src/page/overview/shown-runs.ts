/** How many runs a table shows. */
export const shownRuns = 10;
