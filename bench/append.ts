import type { AppendCaller } from "./append-caller.ts";
import { seedDatabase } from "./append-database.ts";
import { type Child, startChild } from "./child.ts";
import type { PgLoop } from "./pg-loop.ts";
import { findPgbench, runPgbench } from "./pgbench.ts";
import type { Rounds } from "./plan.ts";
import type { Stage } from "./stage.ts";
import { type Round, ratios, type Spread, summarize } from "./statistics.ts";

/** The append path at one number of callers, beside PostgreSQL's own rate for the same work. */
export type AppendResult = {
  callers: number;
  append: Round;
  /** Undefined where pgbench is not installed. */
  pgbench: Round | undefined;
  pgLoop: Round;
  /** Appends per second to transactions per second. */
  toPgbench: Spread | undefined;
  toPgLoop: Spread;
};

const CALLERS = [1, 8, 64];

type Measured = { append: Round[]; pgbench: Round[]; pgLoop: Round[] };
type Side = keyof Measured;

/**
 * `EventRepository.append`, one event a unit, and the same update and insert as one prepared statement. The sides have
 * databases of equal content on one server and take turns.
 */
export async function measureAppend(
  stage: Child<Stage>,
  { rounds, warmupSeconds, seconds }: Rounds,
  onProgress: (step: string) => void,
): Promise<AppendResult[]> {
  await using children = new AsyncDisposableStack();
  onProgress("filling the tables");
  const appendUrl = await stage.call("createDatabase", "append");
  const referenceUrl = await stage.call("createDatabase", "reference");
  await Promise.all([seedDatabase(appendUrl), seedDatabase(referenceUrl)]);
  const caller = children.use(startChild<AppendCaller>("append-caller.ts"));
  await caller.call("open", appendUrl);
  const loop = children.use(startChild<PgLoop>("pg-loop.ts"));
  const pgbench = findPgbench();
  const directory = await stage.call("createDirectory", undefined);

  const measured = new Map(
    CALLERS.map((callers) => [callers, { append: [], pgbench: [], pgLoop: [] } as Measured]),
  );
  for (let round = 1; round <= rounds; round++) {
    for (const [callers, of] of measured) {
      onProgress(`round ${round} of ${rounds}: append, ${callers} ${callers === 1 ? "caller" : "callers"}`);
      const order = { callers, warmupSeconds, seconds };
      const sides: Record<Side, () => Promise<Round> | undefined> = {
        append: () => caller.call("run", order),
        pgbench: () =>
          pgbench === undefined ? undefined : runPgbench(pgbench, referenceUrl, order, directory),
        pgLoop: () => loop.call("run", { ...order, databaseUrl: referenceUrl }),
      };
      const forwards: Side[] = ["append", "pgbench", "pgLoop"];
      for (const side of round % 2 === 1 ? forwards : forwards.toReversed()) {
        const figures = await sides[side]();
        if (figures) of[side].push(figures);
      }
    }
  }
  return [...measured].map(([callers, { append, pgbench, pgLoop }]) => ({
    callers,
    append: summarize(append),
    pgbench: pgbench.length === 0 ? undefined : summarize(pgbench),
    pgLoop: summarize(pgLoop),
    toPgbench: pgbench.length === 0 ? undefined : ratios(append, pgbench),
    toPgLoop: ratios(append, pgLoop),
  }));
}
