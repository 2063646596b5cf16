import { setTimeout as sleep } from "node:timers/promises";
import { type Child, startChild } from "./child.ts";
import { expectVerified } from "./claims.ts";
import { COLD_CALLERS, type ColdAppend, measureColdAppend } from "./cold-append.ts";
import { databasePid, openClient } from "./database-client.ts";
import { type GrowthCall, growthCalls, loadOf } from "./growth-calls.ts";
import { type GrownDatabase, growDatabase, LONG_HISTORY, lengthen } from "./growth-database.ts";
import type { Load, LoadGenerator } from "./load-generator.ts";
import { milliseconds, row, spread, whole, wholeIfKnown } from "./markdown.ts";
import type { GrowthSize, Rounds } from "./plan.ts";
import { encodeSetMetadata } from "./session-calls.ts";
import { createSupply, enoughFor, type SessionSupply } from "./session-supply.ts";
import type { Stage } from "./stage.ts";
import { type Asked, asked, countStatements } from "./statement-count.ts";
import {
  busyMicroseconds,
  median,
  type Round,
  type Spread,
  spreadOf,
  spreadOfKnown,
  summarize,
} from "./statistics.ts";
import type { TableSize, TableSizes } from "./table-sizes.ts";

/** The same calls on servers with ever more sessions. */
export type GrowthResult = {
  sizes: GrownSize[];
  /** CreateSession at the most sessions, to at the fewest; wall time from a start on cold data. */
  create: { cpu: Spread | undefined; statements: Spread; pages: Spread; coldWall: Spread };
  /** SetSession of a session that has `events` events, to one that has few: processor time and median latency. */
  history: { events: number; cpu: Spread | undefined; p50: Spread };
  /** Undefined where pgbench is not installed. */
  coldAppend: ColdAppend | undefined;
};

export type GrownSize = {
  sessions: number;
  tables: TableSizes;
  calls: Record<GrowthCall, Round>;
  /** Of a CreateSession alone. */
  statements: number;
  pages: number;
  /** Of a CreateSession when nothing of the databases is in memory. */
  coldCreateMs: number;
};

const CALLERS = 8;
/** So that all connections are there. */
const FIRST_CREATES = 20;
const COUNTED_CREATES = 200;

/** CreateSession and others on databases of each size, in turns, on one PostgreSQL. */
export async function measureGrowth(
  stage: Child<Stage>,
  size: GrowthSize,
  onProgress: (step: string) => void,
): Promise<GrowthResult> {
  await using undo = new AsyncDisposableStack();
  const generator = undo.use(startChild<LoadGenerator>("load-generator.ts"));
  const grown: Grown[] = [];
  for (const sessions of size.sessions) {
    onProgress(`growth: filling the tables with ${sessions} sessions`);
    const database = await growDatabase(undo, stage, sessions);
    const supply = createSupply(generator, database.node);
    const calls = { create: [], get: [], set: [], end: [], list: [] };
    grown.push({ ...database, supply, calls, coldCreateMs: [], asked: [] });
  }
  const run: Run = (load, callers = CALLERS) =>
    generator.call("run", { ...load, databasePid: postgresPid, callers });
  let postgresPid = await databasePid(grown[0]!.databaseUrl);
  const { rounds, warmupSeconds, seconds } = size;
  const length = { warmupSeconds, seconds };
  for (let round = 1; round <= rounds; round++) {
    for (const call of growthCalls) {
      onProgress(`growth: round ${round} of ${rounds}: ${call}`);
      for (const database of inTurns(grown, round)) {
        const taken = database.calls[call];
        const load = await loadOf(call, database, database.supply, enoughFor(length, taken.at(-1)));
        taken.push(await run({ ...load, ...length }));
      }
    }
  }
  const history = await measureHistory(grown[0]!, size, run);

  await countStatements(grown[0]!.databaseUrl);
  await stage.call("restartPostgres", undefined);
  postgresPid = await databasePid(grown[0]!.databaseUrl);
  for (let round = 1; round <= rounds; round++) {
    for (const database of inTurns(grown, round)) {
      onProgress(`growth: round ${round} of ${rounds}: create on cold data`);
      const create = await loadOf("create", database, database.supply, 0);
      const some = (atMost: number) => ({ ...create, atMost, warmupSeconds: 0, seconds: Infinity });
      await untilAnswering(() => run(some(FIRST_CREATES)));
      await stage.call("coolPostgres", undefined);
      const cold = await run(some(size.coldCreates));
      database.coldCreateMs.push((CALLERS * 1_000) / cold.perSecond);
      database.asked.push(await countAsked(database, COUNTED_CREATES, () => run(some(COUNTED_CREATES), 1)));
    }
  }
  const sizes: GrownSize[] = [];
  for (const database of grown) {
    onProgress(`growth: verifying ${database.sessions} sessions`);
    await expectVerified(stage, database.databaseUrl);
    sizes.push(summarizeSize(database));
  }
  // After verifying: the reference statement does not write all that an event says.
  const coldAppend = await measureColdAppend(stage, grown.at(-1)!, size, onProgress);
  return { sizes, create: compareCreates(grown.at(-1)!, grown[0]!), history, coldAppend };
}

/** A database with all that was measured on it, round by round. */
type Grown = GrownDatabase & {
  supply: SessionSupply;
  calls: Record<GrowthCall, Round[]>;
  coldCreateMs: number[];
  asked: Asked[];
};

const inTurns = (grown: readonly Grown[], round: number): readonly Grown[] =>
  round % 2 === 1 ? grown : grown.toReversed();

type Run = (load: Omit<Load, "databasePid" | "callers">, callers?: number) => Promise<Round>;

/** One caller: what several ask for at once may go into one statement. */
async function countAsked(
  { databaseUrl }: Grown,
  requests: number,
  run: () => Promise<Round>,
): Promise<Asked> {
  await using client = await openClient(databaseUrl);
  const before = await asked(client);
  await run();
  const after = await asked(client);
  return {
    statements: (after.statements - before.statements) / requests,
    pages: (after.pages - before.pages) / requests,
  };
}

/** Of one session each, one call after the other; in turns. */
async function measureHistory(
  { databaseUrl, node, sessionIds }: Grown,
  { rounds, warmupSeconds, seconds }: Rounds,
  run: Run,
): Promise<GrowthResult["history"]> {
  const target = { origin: node.origin, serverPid: node.pid, protocol: "Connect JSON" } as const;
  const change = (sessionId: string) => {
    const requests = ["office", "home"].map((place) => encodeSetMetadata(sessionId, place, node.bearer));
    return run({ ...target, requests, warmupSeconds, seconds }, 1);
  };
  const longSessionId = sessionIds[0]!;
  await lengthen(databaseUrl, longSessionId);
  const measured = { long: [] as Round[], short: [] as Round[] };
  for (let round = 1; round <= rounds; round++) {
    // A session of its own each round, or it would have a history too.
    const turns = { long: longSessionId, short: sessionIds[round]! };
    const order = round % 2 === 1 ? (["long", "short"] as const) : (["short", "long"] as const);
    for (const side of order) measured[side].push(await change(turns[side]));
  }
  return {
    events: LONG_HISTORY,
    cpu: compareCpu(measured.long, measured.short),
    p50: spreadOf(measured.long.map(({ p50Ms }, index) => p50Ms / measured.short[index]!.p50Ms)),
  };
}

const PATIENCE_MS = 30_000;

/** The server has to find out that its connections are gone. */
async function untilAnswering(call: () => Promise<unknown>): Promise<void> {
  for (const givenUpAt = performance.now() + PATIENCE_MS; ; await sleep(100)) {
    try {
      await call();
      return;
    } catch (error) {
      if (performance.now() > givenUpAt) throw error;
    }
  }
}

function summarizeSize({ sessions, tables, calls, coldCreateMs, asked }: Grown): GrownSize {
  return {
    sessions,
    tables,
    calls: {
      create: summarize(calls.create),
      get: summarize(calls.get),
      set: summarize(calls.set),
      end: summarize(calls.end),
      list: summarize(calls.list),
    },
    statements: median(asked.map(({ statements }) => statements)),
    pages: median(asked.map(({ pages }) => pages)),
    coldCreateMs: median(coldCreateMs),
  };
}

function compareCreates(most: Grown, fewest: Grown): GrowthResult["create"] {
  const to = (figures: (grown: Grown) => readonly number[]) =>
    spreadOf(figures(most).map((figure, index) => figure / figures(fewest)[index]!));
  return {
    cpu: compareCpu(most.calls.create, fewest.calls.create),
    statements: to(({ asked }) => asked.map(({ statements }) => statements)),
    pages: to(({ asked }) => asked.map(({ pages }) => pages)),
    coldWall: to(({ coldCreateMs }) => coldCreateMs),
  };
}

function compareCpu(measured: readonly Round[], limit: readonly Round[]): Spread | undefined {
  const each = measured.map((round, index) => {
    const [most, least] = [busyMicroseconds(round), busyMicroseconds(limit[index]!)];
    return most && least && most / least;
  });
  return spreadOfKnown(each);
}

export function growthTable({ sizes, create, history, coldAppend }: GrowthResult): string[] {
  const perSession = ({ tableBytes, indexBytes }: TableSize, sessions: number) =>
    whole((tableBytes + indexBytes) / sessions);
  const micros = (round: Round) => wholeIfKnown(busyMicroseconds(round));
  return [
    `**Growth**: ${CALLERS} callers (Connect JSON), on a database of each size. CPU: processor time of server and PostgreSQL. List: the first page of a person's sessions. Statements and pages: what one CreateSession asks PostgreSQL for. Cold: nothing of the databases is in memory at the beginning.`,
    "",
    `| sessions | bytes per session: rows | events | ${growthCalls.map((call) => `${call}: CPU µs | p50 ms`).join(" | ")} | create: statements | pages | cold ms |`,
    `|${"--:|".repeat(6 + 2 * growthCalls.length)}`,
    ...sizes.map(({ sessions, calls, statements, pages, coldCreateMs, tables }) =>
      row([
        whole(sessions),
        perSession(tables.sessions, sessions),
        perSession(tables.events, sessions),
        ...growthCalls.flatMap((call) => [micros(calls[call]), milliseconds(calls[call].p50Ms)]),
        statements.toFixed(2),
        pages.toFixed(0),
        milliseconds(coldCreateMs),
      ]),
    ),
    "",
    `CreateSession at the most sessions, to at the fewest: processor time ${create.cpu ? spread(create.cpu) : "–"}, statements ${spread(create.statements)}, pages ${spread(create.pages)}, wall time on cold data ${spread(create.coldWall)}.`,
    `SetSession of a session with ${whole(history.events)} events, to one with few: processor time ${history.cpu ? spread(history.cpu) : "–"}, p50 ${spread(history.p50)}.`,
    ...(coldAppend
      ? [
          `Appends at ${COLD_CALLERS} callers over ${whole(coldAppend.sessions)} sessions of which nothing is in memory at the beginning, to pgbench's best single statement: ${spread(coldAppend.toPgbench)} (${whole(coldAppend.append.perSecond)} and ${whole(coldAppend.pgbench.perSecond)} a second).`,
        ]
      : []),
  ];
}
