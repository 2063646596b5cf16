/** How long and how often one side of a comparison is measured. */
export type Rounds = { rounds: number; warmupSeconds: number; seconds: number };

export type ListSize = Rounds & { sessions: number };

/** Sessions in the table, all of which the rounds are spread over. */
export type AppendSize = Rounds & { sessions: number };

export type ContentionSize = { seconds: number };

export type EndingsSize = {
  /** To be ended, about; a tenth more is not. */
  sessions: number;
  /** Of both, so many are checked again and again. */
  checkedSessions: number;
  /** Checks after the answer. */
  checks: number;
  /** How often a node is killed meanwhile. */
  kills: number;
  createsPerSecond: number;
  /** How often and how long CreateSession is measured, before and beside it. */
  rounds: number;
  seconds: number;
};

export type RetentionSize = {
  days: number;
  sessionsADay: number;
  foldAfterDays: number;
  removeAfterDays: number;
};

export type MemorySize = {
  /** After how many requests its memory is looked at. */
  pointsAt: readonly number[];
};

export type GrowthSize = Rounds & {
  /** Of each database, fewest first. */
  sessions: readonly number[];
  /** CreateSession right after a start without anything in memory, each round. */
  coldCreates: number;
};

export type Plan = {
  edge: Rounds;
  endpoints: Rounds;
  append: AppendSize;
  contention: ContentionSize;
  peers: Rounds;
  flows: Rounds;
  passwords: Rounds;
  openLoop: Rounds;
  workers: Rounds;
  memory: MemorySize;
  list: ListSize;
  endings: EndingsSize;
  retention: RetentionSize;
  growth: GrowthSize;
};

/** For an ending that lasts long enough to look at it. */
const some: EndingsSize = {
  sessions: 100_000,
  checkedSessions: 5_000,
  checks: 20_000,
  kills: 1,
  createsPerSecond: 50,
  rounds: 5,
  seconds: 3,
};

const million: EndingsSize = {
  sessions: 1_000_000,
  checkedSessions: 22_000,
  checks: 100_000,
  kills: 3,
  createsPerSecond: 50,
  rounds: 6,
  seconds: 5,
};

const fortnight: RetentionSize = { days: 14, sessionsADay: 300, foldAfterDays: 2, removeAfterDays: 4 };
const month: RetentionSize = { days: 30, sessionsADay: 2_000, foldAfterDays: 3, removeAfterDays: 7 };

/** All benchmarks, in about an hour. */
export const full: Plan = {
  edge: { rounds: 7, warmupSeconds: 0.5, seconds: 2 },
  endpoints: { rounds: 5, warmupSeconds: 0.25, seconds: 1 },
  append: { sessions: 1_000_000, rounds: 5, warmupSeconds: 0.5, seconds: 2 },
  contention: { seconds: 10 },
  peers: { rounds: 5, warmupSeconds: 0.5, seconds: 2 },
  flows: { rounds: 5, warmupSeconds: 0.5, seconds: 2 },
  passwords: { rounds: 5, warmupSeconds: 0.5, seconds: 2 },
  openLoop: { rounds: 5, warmupSeconds: 0.5, seconds: 2 },
  workers: { rounds: 5, warmupSeconds: 0.5, seconds: 2 },
  memory: { pointsAt: [10_000, 100_000, 1_000_000] },
  list: { sessions: 200_000, rounds: 5, warmupSeconds: 0.25, seconds: 1 },
  endings: some,
  retention: fortnight,
  growth: {
    sessions: [10_000, 10_000_000],
    ...{ rounds: 5, warmupSeconds: 0.25, seconds: 1 },
    coldCreates: 1_000,
  },
};

/** One of them, more thoroughly. */
export const long: Plan = {
  edge: { rounds: 11, warmupSeconds: 0.5, seconds: 3 },
  endpoints: { rounds: 7, warmupSeconds: 0.5, seconds: 2 },
  append: { sessions: 1_000_000, rounds: 9, warmupSeconds: 0.5, seconds: 3 },
  contention: { seconds: 30 },
  peers: { rounds: 9, warmupSeconds: 0.5, seconds: 3 },
  flows: { rounds: 9, warmupSeconds: 0.5, seconds: 5 },
  passwords: { rounds: 9, warmupSeconds: 0.5, seconds: 5 },
  openLoop: { rounds: 9, warmupSeconds: 0.5, seconds: 5 },
  workers: { rounds: 9, warmupSeconds: 0.5, seconds: 5 },
  memory: { pointsAt: [10_000, 100_000, 300_000, 1_000_000] },
  list: { sessions: 1_000_000, rounds: 9, warmupSeconds: 0.25, seconds: 1 },
  endings: { ...million, rounds: 12 },
  retention: month,
  growth: {
    sessions: [10_000, 1_000_000, 10_000_000],
    ...{ rounds: 9, warmupSeconds: 0.25, seconds: 2 },
    coldCreates: 2_000,
  },
};

/** Shows that everything still runs; its figures are coarse. */
export const short: Plan = {
  edge: { rounds: 1, warmupSeconds: 0.3, seconds: 0.5 },
  endpoints: { rounds: 1, warmupSeconds: 0.2, seconds: 0.5 },
  append: { sessions: 10_000, rounds: 1, warmupSeconds: 0.2, seconds: 1 },
  contention: { seconds: 2 },
  peers: { rounds: 1, warmupSeconds: 0.2, seconds: 1 },
  flows: { rounds: 1, warmupSeconds: 0.2, seconds: 1 },
  passwords: { rounds: 1, warmupSeconds: 0.2, seconds: 1 },
  openLoop: { rounds: 1, warmupSeconds: 0.2, seconds: 1 },
  workers: { rounds: 1, warmupSeconds: 0.2, seconds: 1 },
  memory: { pointsAt: [10_000, 30_000] },
  list: { sessions: 10_000, rounds: 1, warmupSeconds: 0.05, seconds: 0.1 },
  endings: {
    sessions: 10_000,
    checkedSessions: 2_000,
    checks: 2_000,
    kills: 1,
    createsPerSecond: 50,
    rounds: 2,
    seconds: 1,
  },
  retention: { days: 6, sessionsADay: 300, foldAfterDays: 1, removeAfterDays: 2 },
  growth: {
    sessions: [10_000, 100_000],
    ...{ rounds: 1, warmupSeconds: 0.1, seconds: 0.3 },
    coldCreates: 200,
  },
};
