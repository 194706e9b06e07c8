import type { DataStoreCapabilities } from '../data-store.js';
import type { ConformanceLevel, Guarantee } from './types.js';
import { levels } from './types.js';

/** What became of one case. */
export interface ConformanceResult {
  readonly name: string;
  readonly level: ConformanceLevel;
  readonly guarantee: Guarantee;
  readonly ok: boolean;
  /** How long it ran, in milliseconds. */
  readonly ms: number;
  /** Why it failed: the guarantee, the broken sentence, what was expected and what was answered. */
  readonly message?: string;
}

/** What a store says of itself. */
export interface ConformanceStore {
  readonly name: string;
  readonly capabilities: DataStoreCapabilities;
}

/** What ran the kit. */
export interface ConformanceVersions {
  /** The version of `@sched/core`, whose kit this is. */
  readonly core: string;
  /** The runtime and its version, such as `node 24.21.0`. */
  readonly runtime: string;
  /** The operating system and the architecture, such as `linux x64`. */
  readonly platform: string;
}

/** The cases of one level. */
export interface ConformanceLevelReport {
  readonly passed: number;
  readonly failed: number;
  /** The time that its cases took, added up. */
  readonly seconds: number;
}

/** What the kit found out about a store. Plain JSON. */
export interface ConformanceReport {
  readonly store: string;
  readonly capabilities: DataStoreCapabilities;
  readonly versions: ConformanceVersions;
  /** Whether every case of the kit was run. Only such a report says that a store passes the kit. */
  readonly complete: boolean;
  readonly passed: number;
  readonly failed: number;
  /** The time that all cases took, added up. */
  readonly seconds: number;
  /** The seeds of the random cases that were run. */
  readonly seeds: readonly number[];
  /** The levels of which a case was run. */
  readonly levels: Readonly<Partial<Record<ConformanceLevel, ConformanceLevelReport>>>;
  readonly cases: readonly ConformanceResult[];
}

/** Puts the results of cases together. */
export function createReport(
  store: ConformanceStore,
  versions: ConformanceVersions,
  cases: readonly ConformanceResult[],
  complete: boolean,
): ConformanceReport {
  const byLevel = levelNames
    .map((level) => [level, cases.filter((each) => each.level === level)] as const)
    .filter(([, own]) => own.length > 0)
    .map(([level, own]) => [level, countsOf(own)]);
  return {
    store: store.name,
    capabilities: store.capabilities,
    versions,
    complete,
    ...countsOf(cases),
    seeds: seedsOf(cases),
    levels: Object.fromEntries(byLevel),
    cases,
  };
}

/** Whether this report says that the store keeps every promise that the kit knows of. */
export function passes({ complete, passed, failed }: ConformanceReport): boolean {
  return complete && failed === 0 && passed > 0;
}

/** In one sentence, what a report says. */
export function verdict(report: ConformanceReport): string {
  const { store, complete, passed, failed } = report;
  const all = passed + failed;
  if (failed > 0) return `${store} fails ${failed} of ${count(all, 'case')}.`;
  const seconds = report.seconds.toFixed(1);
  if (passes(report)) return `${store} passes the kit: ${count(all, 'case')} in ${seconds} s.`;
  return `${store} passes ${count(all, 'case')} in ${seconds} s${complete ? '' : '; others were left out'}.`;
}

export const levelNames = Object.keys(levels) as readonly ConformanceLevel[];

function countsOf(cases: readonly ConformanceResult[]): ConformanceLevelReport {
  const passed = cases.filter(({ ok }) => ok).length;
  const ms = cases.reduce((sum, each) => sum + each.ms, 0);
  return { passed, failed: cases.length - passed, seconds: Math.round(ms) / 1000 };
}

function seedsOf(cases: readonly ConformanceResult[]): number[] {
  const seeds = cases.flatMap(({ name }) => /\(seed (\d+)\)/.exec(name)?.[1] ?? []).map(Number);
  return [...new Set(seeds)].sort((a, b) => a - b);
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
