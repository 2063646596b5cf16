import type { AppendCaller } from "./append-caller.ts";
import { referenceStatement, type UsedSessions } from "./append-database.ts";
import { type Child, startChild } from "./child.ts";
import { findPgbench, runPgbench } from "./pgbench.ts";
import type { Rounds } from "./plan.ts";
import type { Stage } from "./stage.ts";
import { type Round, ratios, type Spread, summarize } from "./statistics.ts";

/** The append path beside pgbench, on tables that are on disk and nowhere else. */
export type ColdAppend = { sessions: number; append: Round; pgbench: Round; toPgbench: Spread };

export const COLD_CALLERS = 64;
/** Every so manieth session at most is used, or the two sides could not have others. */
const LEAST_STRIDE = 2;
const MOST_USED = 200_000;
/** It is the data that shall be cold, and not the code. */
const CODE_WARMUP_SECONDS = 2;

/**
 * Appends and the reference statement in turns on one database, each on sessions of its own; memory is emptied before
 * every turn, so that nobody finds what the other has read.
 * @returns undefined where pgbench is not installed
 */
export async function measureColdAppend(
  stage: Child<Stage>,
  { databaseUrl, sessions }: { databaseUrl: string; sessions: number },
  { rounds, seconds }: Rounds,
  onProgress: (step: string) => void,
): Promise<ColdAppend | undefined> {
  const program = findPgbench();
  if (program === undefined) return undefined;
  await using undo = new AsyncDisposableStack();
  const stride = Math.max(LEAST_STRIDE, Math.ceil(sessions / MOST_USED));
  const ours: UsedSessions = { stride, count: Math.floor(sessions / stride) };
  const theirs: UsedSessions = { ...ours, shift: 1 };
  const caller = undo.use(startChild<AppendCaller>("append-caller.ts"));
  await caller.call("open", { databaseUrl, used: ours });
  const directory = await stage.call("createDirectory", undefined);

  // pgbench counts in whole seconds.
  const order = { callers: COLD_CALLERS, seconds: Math.ceil(seconds) };
  await caller.call("append", { ...order, seconds: CODE_WARMUP_SECONDS });
  const statement = referenceStatement(":n", theirs);
  const sides = {
    append: () => caller.call("append", order),
    pgbench: () => runPgbench(program, { ...order, databaseUrl, statement, used: theirs }, directory),
  };
  const measured = { append: [] as Round[], pgbench: [] as Round[] };
  for (let round = 1; round <= rounds; round++) {
    onProgress(`growth: round ${round} of ${rounds}: append on cold data`);
    const turns = round % 2 === 1 ? (["append", "pgbench"] as const) : (["pgbench", "append"] as const);
    for (const side of turns) {
      await stage.call("coolPostgres", undefined);
      measured[side].push(await sides[side]());
    }
  }
  return {
    sessions,
    append: summarize(measured.append),
    pgbench: summarize(measured.pgbench),
    toPgbench: ratios(measured.append, measured.pgbench),
  };
}
