/** How long and how often one side of a comparison is measured. */
export type Rounds = { rounds: number; warmupSeconds: number; seconds: number };

export type Plan = { endpoints: Rounds; append: Rounds; passwords: Rounds };

/** All benchmarks, in about five minutes. */
export const full: Plan = {
  endpoints: { rounds: 5, warmupSeconds: 0.25, seconds: 1 },
  append: { rounds: 5, warmupSeconds: 0.5, seconds: 2 },
  passwords: { rounds: 5, warmupSeconds: 0.5, seconds: 2 },
};

/** One of them, in about as long. */
export const long: Plan = {
  endpoints: { rounds: 7, warmupSeconds: 0.5, seconds: 2 },
  append: { rounds: 9, warmupSeconds: 0.5, seconds: 3 },
  passwords: { rounds: 9, warmupSeconds: 0.5, seconds: 5 },
};

/** Shows that everything still runs; its figures are coarse. */
export const short: Plan = {
  endpoints: { rounds: 1, warmupSeconds: 0.2, seconds: 0.5 },
  append: { rounds: 1, warmupSeconds: 0.2, seconds: 1 },
  passwords: { rounds: 1, warmupSeconds: 0.2, seconds: 1 },
};
