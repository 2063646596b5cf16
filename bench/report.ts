import { appendTable, sessionReadsTable } from "./append-table.ts";
import { contentionTable } from "./contention.ts";
import { edgeTable } from "./edge.ts";
import type { EndingsResult } from "./endings.ts";
import { CHECKING_CALLERS } from "./endings-checks.ts";
import { CALLERS, type EndpointResult } from "./endpoints.ts";
import { flowsTable } from "./flows.ts";
import { growthTable } from "./growth.ts";
import type { ListResult } from "./list.ts";
import { mebibytes, milliseconds, row, spread, whole, wholeIfKnown } from "./markdown.ts";
import { memoryTable } from "./memory.ts";
import { openLoopTable } from "./open-loop.ts";
import { type PasswordsResult, PEOPLE, READERS } from "./passwords.ts";
import { peersTable } from "./peers.ts";
import type { Results } from "./results.ts";
import { bytesOf, type Cost, comparedDays, type RetentionResult, summarizeCosts } from "./retention.ts";
import type { Round } from "./statistics.ts";
import { targetsTable } from "./targets.ts";
import { workersTable } from "./workers.ts";

/** Everything as Markdown, fit for the README: the targets first, then what lies behind them. */
export function toMarkdown({ startedAt, machine, targets, ...results }: Results): string {
  const {
    edge,
    endpoints,
    append,
    sessionReads,
    contention,
    peers,
    flows,
    passwords,
    openLoop,
    workers,
    memory,
  } = results;
  const { list, endings, retention, growth } = results;
  return [
    `Gatehouse ${machine.gatehouse} on ${machine.database}; Node ${machine.node}; ${machine.cores} cores (${machine.processor}),`,
    `${machine.memoryGib} GiB, ${machine.platform}; ${startedAt.slice(0, 10)}. Server, database and load share the machine; load before: ${machine.loadPerCore} per core.`,
    "",
    ...targetsTable(targets),
    ...(edge ? ["", ...edgeTable(edge)] : []),
    ...(endpoints ? ["", ...endpointsTable(endpoints)] : []),
    ...(append ? ["", ...appendTable(append)] : []),
    ...(sessionReads ? ["", ...sessionReadsTable(sessionReads)] : []),
    ...(contention ? ["", ...contentionTable(contention)] : []),
    ...(peers ? ["", ...peersTable(peers)] : []),
    ...(flows ? ["", ...flowsTable(flows)] : []),
    ...(passwords ? ["", ...passwordsTable(passwords)] : []),
    ...(openLoop ? ["", ...openLoopTable(openLoop)] : []),
    ...(workers ? ["", ...workersTable(workers)] : []),
    ...(memory ? ["", ...memoryTable(memory)] : []),
    ...(list ? ["", ...listTable(list)] : []),
    ...(endings ? ["", ...endingsTable(endings)] : []),
    ...(retention ? ["", ...retentionTable(retention)] : []),
    ...(growth ? ["", ...growthTable(growth)] : []),
    "",
  ].join("\n");
}

function endpointsTable(results: EndpointResult[]): string[] {
  return [
    `**End to end**, ${CALLERS} callers, against an empty handler behind the same listener. Ratio of requests per second: median (least–most).`,
    "",
    "| call | protocol | ratio | requests/s | p50 ms | p99 ms | CPU µs | empty: requests/s | p50 ms | p99 ms | CPU µs | CPU ratio |",
    "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ...results.map(({ rpc, protocol, gatehouse, empty, ratio, generatorCores }) =>
      row([
        rpc,
        protocol,
        spread(ratio),
        ...figures(gatehouse, generatorCores.gatehouse),
        ...figures(empty, generatorCores.empty),
        cpuRatio(gatehouse, empty),
      ]),
    ),
    "",
    `CPU: processor time of the server process for one request. With ≥ the load generator had used up its core, and the server could have done more.`,
  ];
}

/** From here on a generator counts as busy all the time. */
const BUSY_CORES = 0.95;

function figures({ perSecond, p50Ms, p99Ms, cpuMicroseconds }: Round, generatorCores: number): string[] {
  const capped = generatorCores >= BUSY_CORES ? "≥ " : "";
  return [capped + whole(perSecond), milliseconds(p50Ms), milliseconds(p99Ms), wholeIfKnown(cpuMicroseconds)];
}

function cpuRatio({ cpuMicroseconds: measured }: Round, { cpuMicroseconds: limit }: Round): string {
  return measured === undefined || limit === undefined ? "–" : (measured / limit).toFixed(1);
}

function passwordsTable({ quiet, busy, p50, p99, signInsPerSecond }: PasswordsResult): string[] {
  return [
    `**Reads beside password checks**: GetSession from ${READERS} callers (Connect JSON), while ${PEOPLE} people sign in with their passwords, against the same while nobody does. Latency: median of the ratios (least–most).`,
    "",
    "| | p50 ms | p99 ms | requests/s | sign-ins/s |",
    "|---|--:|--:|--:|--:|",
    row([
      "nobody signs in",
      milliseconds(quiet.p50Ms),
      milliseconds(quiet.p99Ms),
      whole(quiet.perSecond),
      "–",
    ]),
    row([
      `${PEOPLE} sign in`,
      milliseconds(busy.p50Ms),
      milliseconds(busy.p99Ms),
      whole(busy.perSecond),
      whole(signInsPerSecond),
    ]),
    row(["ratio", spread(p50), spread(p99), "", ""]),
  ];
}

function listTable({ sessions, pointMs, oneMs, pages }: ListResult): string[] {
  const table = (title: string, isCounted: boolean) => [
    "",
    `| ${title} | rows | ratio | p50 ms | p99 ms | floor: p50 ms |`,
    "|---|--:|--:|--:|--:|--:|",
    ...pages
      .filter((page) => page.isCounted === isCounted)
      .map(({ what, rows, ratio, p50Ms, p99Ms, floorMs }) =>
        row([
          what,
          whole(rows),
          spread(ratio),
          milliseconds(p50Ms),
          milliseconds(p99Ms),
          milliseconds(floorMs),
        ]),
      ),
  ];
  return [
    `**Lists**, over ${whole(sessions)} sessions, one caller. Floor: the same sessions by their ids through SearchSessions. Ratio of the latencies: median (least–most). GetSession takes ${milliseconds(pointMs)} ms, SearchSessions of that one id ${milliseconds(oneMs)} ms.`,
    ...table("page", false),
    ...table("page with an exact total", true),
  ];
}

function endingsTable(result: EndingsResult): string[] {
  const { matched, others, dryRunMs, answerMs, backgroundSeconds, checks, killedAt } = result;
  const { createsPerSecond, before, during, p50, p99 } = result;
  const kills = `${killedAt.length === 1 ? "once" : `${killedAt.length} times`} (with ${killedAt.map(whole).join(", ")} written)`;
  return [
    `**A bulk ending**: one EndSessions over ${whole(matched)} sessions, beside ${whole(others)} others, on two nodes; the one that was asked is killed ${kills} and started again. ${CHECKING_CALLERS} callers check sessions on both nodes, by GetSession and as credentials.`,
    "",
    "| | |",
    "|---|--:|",
    row(["EndSessions, answer", `${milliseconds(answerMs)} ms`]),
    row(["dry run of it, answer", `${milliseconds(dryRunMs)} ms`]),
    row(["checks sent after the answer", whole(checks.refused + checks.accepted)]),
    row(["… of ended sessions, accepted", "0"]),
    row(["… of other sessions, refused", "0"]),
    row(["… without an answer, while the node was away", whole(checks.unanswered)]),
    row([
      "all endings written down after",
      `${backgroundSeconds.toFixed(1)} s (${whole(matched / backgroundSeconds)} sessions/s)`,
    ]),
    row(["each session's ending events; `projections verify`", "exactly 1; clean"]),
    "",
    `CreateSession for users of the others, ${createsPerSecond} a second, while the endings are written down, against the same before. Latency: median of the ratios (least–most).`,
    "",
    "| | p50 ms | p99 ms |",
    "|---|--:|--:|",
    row(["before", milliseconds(before.p50Ms), milliseconds(before.p99Ms)]),
    row(["meanwhile", ...(during ? [milliseconds(during.p50Ms), milliseconds(during.p99Ms)] : ["–", "–"])]),
    row(["ratio", p50 ? spread(p50) : "–", p99 ? spread(p99) : "–"]),
  ];
}

function retentionTable(result: RetentionResult): string[] {
  const { days, sessionsADay, foldAfterDays, removeAfterDays, plateau, p50, cpu } = result;
  const middle = Math.floor(days.length / 2);
  const cost = ({ cpuMicroseconds, p50Ms }: Cost) => [wholeIfKnown(cpuMicroseconds), milliseconds(p50Ms)];
  const shown = [1 / 3, 1 / 2, 2 / 3, 1].map((share) => Math.round(days.length * share));
  return [
    `**A steady load**, ${whole(sessionsADay)} sessions a day, of which half are ended and half expire; folded ${foldAfterDays} d and removed ${removeAfterDays} d after their end. The database's clock is moved on, its rows are not touched.`,
    "",
    "| end of day | sessions | events | sessions: table MiB | indexes MiB | events: table MiB | indexes MiB | all MiB | maintenance s |",
    "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ...shown.map((day) => {
      const { sessions, events, maintenanceMs } = days[day - 1]!;
      const bytes = [sessions.tableBytes, sessions.indexBytes, events.tableBytes, events.indexBytes];
      return row([
        String(day),
        whole(sessions.rows),
        whole(events.rows),
        ...[...bytes, bytesOf({ sessions, events })].map(mebibytes),
        (maintenanceMs / 1_000).toFixed(1),
      ]);
    }),
    "",
    `Size at the end of day ${days.length}, to day ${middle}: **${plateau.toFixed(2)}**. CreateSession in the last days, to the first, each beside a server with empty tables: median (least–most).`,
    "",
    "| | CPU µs | p50 ms | empty tables: CPU µs | p50 ms |",
    "|---|--:|--:|--:|--:|",
    ...Object.entries(comparedDays(days)).map(([which, some]) => {
      const of = (side: "creates" | "onEmptyTables") => cost(summarizeCosts(some.map((day) => day[side])));
      return row([`${which} ${some.length} days`, ...of("creates"), ...of("onEmptyTables")]);
    }),
    row(["ratio", cpu ? spread(cpu) : "–", spread(p50), "", ""]),
    "",
    "CPU: processor time of the server and of all of PostgreSQL for one CreateSession.",
  ];
}
