import type { AppendResult, SessionReadsResult } from "./append.ts";
import { milliseconds, row, spread, whole, wholeIfKnown } from "./markdown.ts";
import type { Round } from "./statistics.ts";

export function appendTable(results: readonly AppendResult[]): string[] {
  const hasPgbench = results.some(({ pgbench }) => pgbench !== undefined);
  return [
    `**Append path**, one event a unit, against the same update and insert as one prepared statement; ${whole(results[0]!.sessions)} sessions. Ratio of appends per second: median (least–most).`,
    "",
    "| callers | to pgbench | to a `pg` loop | p99 to pgbench's mean | appends/s | p50 ms | p99 ms | CPU µs | database's | pgbench: tx/s | p50 ms | p99 ms | database's CPU µs | `pg` loop: tx/s | p50 ms | p99 ms |",
    "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ...results.map(({ callers, append, pgbench, pgLoop, toPgbench, toPgLoop, p99ToPgbenchMean }) =>
      row([
        String(callers),
        toPgbench ? spread(toPgbench) : "–",
        spread(toPgLoop),
        p99ToPgbenchMean ? spread(p99ToPgbenchMean) : "–",
        ...timings(append),
        wholeIfKnown(append.cpuMicroseconds),
        wholeIfKnown(append.databaseCpuMicroseconds),
        ...(pgbench
          ? [...timings(pgbench), wholeIfKnown(pgbench.databaseCpuMicroseconds)]
          : ["–", "–", "–", "–"]),
        ...timings(pgLoop),
      ]),
    ),
    ...(hasPgbench
      ? []
      : ["", "pgbench is not installed here (it comes with PostgreSQL): the `pg` loop stands in for it."]),
  ];
}

export function sessionReadsTable({
  sessions,
  callers,
  find,
  pgbench,
  toPgbench,
}: SessionReadsResult): string[] {
  const line = (what: string, round: Round) =>
    row([
      what,
      ...timings(round),
      wholeIfKnown(round.cpuMicroseconds),
      wholeIfKnown(round.databaseCpuMicroseconds),
    ]);
  const ratio = toPgbench ? ` Reads per second to pgbench's: ${spread(toPgbench)}.` : "";
  return [
    `**Reading sessions**, each with its user and what is ending it, as GetSession loads it, beside selecting rows by primary key; ${callers} callers, ${whole(sessions)} sessions.${ratio}`,
    "",
    "| | reads/s | p50 ms | p99 ms | CPU µs | database's |",
    "|---|--:|--:|--:|--:|--:|",
    line("`SessionRepository.find`", find),
    ...(pgbench ? [line("pgbench", pgbench)] : []),
  ];
}

const timings = ({ perSecond, p50Ms, p99Ms }: Round): string[] => [
  whole(perSecond),
  milliseconds(p50Ms),
  milliseconds(p99Ms),
];
