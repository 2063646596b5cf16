/** The middle value; of an even number, the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The smallest value that at least `share` (0 to 1) of all values do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

/** A figure over several rounds. */
export type Spread = { median: number; least: number; most: number };

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

/** Undefined if one of the values is. */
export function spreadOfKnown(values: readonly (number | undefined)[]): Spread | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length < values.length ? undefined : spreadOf(known);
}

/** One round's figures; times in milliseconds. */
export type Round = {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Processor time of the server process for each request, undefined where the system does not tell. */
  cpuMicroseconds?: number | undefined;
  /** The same of all processes of the database, undefined where it was not asked for either. */
  databaseCpuMicroseconds?: number | undefined;
};

/** Processor time of server and database for a request; undefined where either is. */
export function busyMicroseconds({ cpuMicroseconds, databaseCpuMicroseconds }: Round): number | undefined {
  return cpuMicroseconds && databaseCpuMicroseconds && cpuMicroseconds + databaseCpuMicroseconds;
}

/** The median of each figure. */
export function summarize(rounds: readonly Round[]): Round {
  const of = (figure: (round: Round) => number) => median(rounds.map(figure));
  const known = (figure: (round: Round) => number | undefined) =>
    rounds.some((round) => figure(round) === undefined) ? undefined : of((round) => figure(round)!);
  return {
    perSecond: of((round) => round.perSecond),
    p50Ms: of((round) => round.p50Ms),
    p99Ms: of((round) => round.p99Ms),
    cpuMicroseconds: known((round) => round.cpuMicroseconds),
    databaseCpuMicroseconds: known((round) => round.databaseCpuMicroseconds),
  };
}

/** Round by round, so that what disturbed the machine during one round disturbed both sides of its ratio. */
export function ratios(measured: readonly Round[], limit: readonly Round[]): Spread {
  return spreadOf(measured.map((round, index) => round.perSecond / limit[index]!.perSecond));
}
