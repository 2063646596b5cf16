import type { AppendCaller, StoreRound } from "./append-caller.ts";
import {
  copyDatabase,
  pointSelect,
  referenceStatement,
  seedDatabase,
  type UsedSessions,
  usedSessions,
} from "./append-database.ts";
import { type Child, startChild } from "./child.ts";
import { databasePid } from "./database-client.ts";
import type { PgLoop } from "./pg-loop.ts";
import { findPgbench, runPgbench } from "./pgbench.ts";
import type { AppendSize } from "./plan.ts";
import { familyCpuSeconds } from "./process-use.ts";
import type { Stage } from "./stage.ts";
import { type Round, ratios, type Spread, spreadOf, summarize } from "./statistics.ts";

/** The append path at one number of callers, beside PostgreSQL's own rate for the same work. */
export type AppendResult = {
  /** In the table; the appends are spread over all of it. */
  sessions: number;
  callers: number;
  append: Round;
  /** Undefined where pgbench is not installed. */
  pgbench: Round | undefined;
  pgLoop: Round;
  /** Appends per second to transactions per second. */
  toPgbench: Spread | undefined;
  toPgLoop: Spread;
  /** The 99th percentile of an append to the mean latency of pgbench at as many clients. */
  p99ToPgbenchMean: Spread | undefined;
};

/** `SessionRepository.find`, which GetSession loads a session by, beside selecting rows by their primary key. */
export type SessionReadsResult = {
  sessions: number;
  callers: number;
  find: Round;
  /** Undefined where pgbench is not installed. */
  pgbench: Round | undefined;
  toPgbench: Spread | undefined;
};

const CALLERS = [1, 8, 64];
const READING_CALLERS = 64;

type Side = "append" | "pgbench" | "pgLoop" | "find" | "pointSelect";
/** Sides that take turns at one number of callers, and what they have shown. */
type Comparison = { callers: number; sides: readonly Side[]; rounds: Map<Side, Round[]> };

/**
 * `EventRepository.append`, one event a unit, and the same update and insert as one prepared statement; and reads beside
 * each other. The sides have databases of equal content on one server and take turns.
 */
export async function measureAppend(
  stage: Child<Stage>,
  { rounds, warmupSeconds, seconds, sessions }: AppendSize,
  onProgress: (step: string) => void,
): Promise<{ append: AppendResult[]; sessionReads: SessionReadsResult }> {
  await using children = new AsyncDisposableStack();
  onProgress(`filling the tables with ${sessions.toLocaleString("en-US")} sessions`);
  const databaseUrl = await stage.call("createDatabase", "append");
  children.defer(() => stage.call("dropDatabase", "append"));
  await seedDatabase(databaseUrl, sessions);
  const referenceUrl = await copyDatabase(databaseUrl, "reference");
  children.defer(() => stage.call("dropDatabase", "reference"));
  const used = usedSessions(sessions);
  const caller = children.use(startChild<AppendCaller>("append-caller.ts"));
  await caller.call("open", { databaseUrl, used });
  const loop = children.use(startChild<PgLoop>("pg-loop.ts"));
  const postgresPid = await databasePid(databaseUrl);
  const directory = await stage.call("createDirectory", undefined);

  const store = (call: "append" | "find") => async (order: StoreRound) => {
    await caller.call(call, { ...order, seconds: warmupSeconds });
    return withDatabaseCpu(postgresPid, order, () => caller.call(call, order));
  };
  const program = findPgbench();
  const pgbench =
    (statement: (n: string, used: UsedSessions) => string) =>
    async (order: StoreRound): Promise<Round | undefined> => {
      if (program === undefined) return undefined;
      const prepared = { ...order, databaseUrl: referenceUrl, statement: statement(":n", used), used };
      return withDatabaseCpu(postgresPid, order, () => runPgbench(program, prepared, directory));
    };
  const measure: Record<Side, (order: StoreRound) => Promise<Round | undefined>> = {
    append: store("append"),
    pgbench: pgbench(referenceStatement),
    pgLoop: (order) => loop.call("run", { ...order, warmupSeconds, databaseUrl: referenceUrl, used }),
    find: store("find"),
    pointSelect: pgbench(pointSelect),
  };

  const appends = CALLERS.map((callers) => comparison(callers, ["append", "pgbench", "pgLoop"]));
  const reads = comparison(READING_CALLERS, ["find", "pointSelect"]);
  for (let round = 1; round <= rounds; round++) {
    for (const { callers, sides, rounds: shown } of [...appends, reads]) {
      onProgress(
        `round ${round} of ${rounds}: ${sides[0]}, ${callers} ${callers === 1 ? "caller" : "callers"}`,
      );
      for (const side of round % 2 === 1 ? sides : sides.toReversed()) {
        const figures = await measure[side]({ callers, seconds });
        if (figures) shown.get(side)!.push(figures);
      }
    }
  }
  return {
    append: appends.map((shown) => appendResult(sessions, shown)),
    sessionReads: readsResult(sessions, reads),
  };
}

const comparison = (callers: number, sides: readonly Side[]): Comparison => ({
  callers,
  sides,
  rounds: new Map(sides.map((side) => [side, []])),
});

function appendResult(sessions: number, { callers, rounds }: Comparison): AppendResult {
  const [append, pgbench, pgLoop] = [rounds.get("append")!, rounds.get("pgbench")!, rounds.get("pgLoop")!];
  const hasPgbench = pgbench.length > 0;
  return {
    sessions,
    callers,
    append: summarize(append),
    pgbench: hasPgbench ? summarize(pgbench) : undefined,
    pgLoop: summarize(pgLoop),
    toPgbench: hasPgbench ? ratios(append, pgbench) : undefined,
    toPgLoop: ratios(append, pgLoop),
    p99ToPgbenchMean: hasPgbench
      ? spreadOf(append.map(({ p99Ms }, index) => p99Ms / meanMs(callers, pgbench[index]!)))
      : undefined,
  };
}

function readsResult(sessions: number, { callers, rounds }: Comparison): SessionReadsResult {
  const [find, pgbench] = [rounds.get("find")!, rounds.get("pointSelect")!];
  const hasPgbench = pgbench.length > 0;
  return {
    sessions,
    callers,
    find: summarize(find),
    pgbench: hasPgbench ? summarize(pgbench) : undefined,
    toPgbench: hasPgbench ? ratios(find, pgbench) : undefined,
  };
}

/** Where every client asks again once it has its answer, as pgbench itself computes it. */
const meanMs = (clients: number, { perSecond }: Round): number => (clients * 1_000) / perSecond;

async function withDatabaseCpu(
  postgresPid: number | undefined,
  { seconds }: StoreRound,
  run: () => Promise<Round>,
): Promise<Round> {
  const used = () => (postgresPid === undefined ? undefined : familyCpuSeconds(postgresPid));
  const before = used();
  const figures = await run();
  const after = used();
  if (before === undefined || after === undefined) return figures;
  return { ...figures, databaseCpuMicroseconds: ((after - before) * 1e6) / (figures.perSecond * seconds) };
}
