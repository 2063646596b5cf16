import type { EdgeRounds } from "./edge.ts";

/** How long and how often one side of a comparison is measured. */
export type Rounds = { rounds: number; warmupSeconds: number; seconds: number };

export type ListSize = Rounds & { sessions: number };

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

export type Plan = {
  endpoints: Rounds;
  edge: EdgeRounds;
  append: Rounds;
  passwords: Rounds;
  list: ListSize;
  endings: EndingsSize;
  retention: RetentionSize;
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

const month: RetentionSize = { days: 30, sessionsADay: 2_000, foldAfterDays: 3, removeAfterDays: 7 };

/** All benchmarks, in about an hour. */
export const full: Plan = {
  endpoints: { rounds: 5, warmupSeconds: 0.25, seconds: 1 },
  edge: { rounds: 5, warmupRequests: 20_000, requests: 20_000 },
  append: { rounds: 5, warmupSeconds: 0.5, seconds: 2 },
  passwords: { rounds: 5, warmupSeconds: 0.5, seconds: 2 },
  list: { sessions: 1_000_000, rounds: 5, warmupSeconds: 0.25, seconds: 1 },
  endings: million,
  retention: month,
};

/** One of them, more thoroughly. */
export const long: Plan = {
  endpoints: { rounds: 7, warmupSeconds: 0.5, seconds: 2 },
  edge: { rounds: 9, warmupRequests: 40_000, requests: 50_000 },
  append: { rounds: 9, warmupSeconds: 0.5, seconds: 3 },
  passwords: { rounds: 9, warmupSeconds: 0.5, seconds: 5 },
  list: { sessions: 1_000_000, rounds: 9, warmupSeconds: 0.25, seconds: 1 },
  endings: { ...million, rounds: 12 },
  retention: month,
};

/** Shows that everything still runs; its figures are coarse. */
export const short: Plan = {
  endpoints: { rounds: 1, warmupSeconds: 0.2, seconds: 0.5 },
  edge: { rounds: 1, warmupRequests: 2_000, requests: 2_000 },
  append: { rounds: 1, warmupSeconds: 0.2, seconds: 1 },
  passwords: { rounds: 1, warmupSeconds: 0.2, seconds: 1 },
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
};
