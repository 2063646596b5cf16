import type { EdgeResult } from "./edge.ts";
import { row, spread } from "./markdown.ts";
import type { Measurements } from "./results.ts";
import type { Spread } from "./statistics.ts";

/** What a figure shall be, and where it is found in the results. */
type Target = {
  /** What is divided by what, or counted. */
  figure: string;
  /** The bound it keeps, least or most. */
  atLeast?: number;
  atMost?: number;
  /** @returns undefined if it was not measured in this run */
  measured(results: Measurements): Spread | undefined;
};

/** A line of the table; `isMet` is undefined where nothing was measured. */
export type TargetRow = Pick<Target, "figure" | "atLeast" | "atMost"> & {
  measured: Spread | undefined;
  isMet: boolean | undefined;
};

const appendAt64 = ({ append }: Measurements) => append?.find(({ callers }) => callers === 64);

const edge = ({ edge }: Measurements, protocol: EdgeResult["protocol"]) =>
  edge?.find((result) => result.protocol === protocol)?.toBare;

const targets: readonly Target[] = [
  {
    figure: "empty unary call with all interceptors, gRPC over h2c ÷ bare node:http2 handler",
    atLeast: 0.6,
    measured: (results) => edge(results, "gRPC"),
  },
  {
    figure: "the same, Connect JSON over HTTP/1.1 ÷ bare node:http handler",
    atLeast: 0.65,
    measured: (results) => edge(results, "Connect JSON"),
  },
  {
    figure: "REST DELETE ÷ Connect JSON DeleteSession, end to end",
    atLeast: 0.85,
    measured: ({ endpoints }) =>
      endpoints?.find(({ rpc, protocol }) => rpc === "DeleteSession" && protocol === "REST")?.toConnectJson,
  },
  {
    figure: "append path at 64 callers ÷ pgbench's best single statement at 64 clients",
    atLeast: 2,
    measured: (results) => appendAt64(results)?.toPgbench,
  },
  {
    figure: "the same at the most sessions, on cold data",
    atLeast: 1.2,
    measured: ({ growth }) => growth?.coldAppend?.toPgbench,
  },
  {
    figure: "append p99 at 64 callers ÷ pgbench's mean latency at 64 clients",
    atMost: 1,
    measured: (results) => appendAt64(results)?.p99ToPgbenchMean,
  },
  {
    figure: "batched load of sessions (GetSession's) ÷ pgbench's point select at 64 clients",
    atLeast: 1,
    measured: ({ sessionReads }) => sessionReads?.toPgbench,
  },
  {
    figure: "GetSession end to end ÷ better-auth get-session",
    atLeast: 8,
    measured: ({ peers }) => peers?.getSession.ratio,
  },
  {
    figure: "DeleteSession end to end ÷ better-auth sign-out",
    atLeast: 20,
    measured: ({ peers }) => peers?.signOut.ratio,
  },
  {
    figure: "DeleteSession end to end ÷ express-session destroy",
    atLeast: 3,
    measured: ({ peers }) => peers?.destroy.ratio,
  },
  {
    figure: "create with user check, flows per busy vCPU-second (server and database together)",
    atLeast: 1_500,
    measured: ({ flows }) => flows?.userCheck.perBusySecond,
  },
  {
    figure: "create + password with bcrypt cost 8, flows per busy vCPU-second",
    atLeast: 60,
    measured: ({ flows }) => flows?.bcrypt.perBusySecond,
  },
  {
    figure: "the same ÷ bare hashes per busy vCPU-second",
    atLeast: 0.8,
    measured: ({ flows }) => flows?.bcrypt.toBareHashes,
  },
  {
    figure: "GetSession p99 under 32 concurrent password checks ÷ without",
    atMost: 2,
    measured: ({ passwords }) => passwords?.p99,
  },
  {
    figure: "CPU time of a create at the most sessions ÷ at the fewest",
    atMost: 1.2,
    measured: ({ growth }) => growth?.create.cpu,
  },
  {
    figure: "statements of a create at the most sessions ÷ at the fewest",
    atMost: 1.2,
    measured: ({ growth }) => growth?.create.statements,
  },
  {
    figure: "wall time of a create on cold data at the most sessions ÷ at the fewest",
    atMost: 2,
    measured: ({ growth }) => growth?.create.coldWall,
  },
  {
    figure: "two workers ÷ one, DeleteSession",
    atLeast: 1.4,
    measured: ({ workers }) => workers?.DeleteSession.ratio,
  },
  {
    figure: "errors of 256 callers that change 200 sessions on two nodes",
    atMost: 0,
    measured: ({ contention }) => contention?.errors,
  },
  {
    figure: "resident memory after the most requests ÷ after the fewest",
    atMost: 1.1,
    measured: ({ memory }) => memory?.ratio,
  },
];

/** Every target, in the order of the table. */
export function targetRows(results: Measurements): TargetRow[] {
  return targets.map(({ figure, atLeast, atMost, measured }) => {
    const found = measured(results);
    return {
      figure,
      atLeast,
      atMost,
      measured: found,
      isMet: found && keeps(found.median, { atLeast, atMost }),
    };
  });
}

function keeps(
  value: number,
  { atLeast = -Infinity, atMost = Infinity }: Pick<Target, "atLeast" | "atMost">,
) {
  return value >= atLeast && value <= atMost;
}

/** Figure, target, measured: the first table of the output. */
export function targetsTable(rows: readonly TargetRow[]): string[] {
  return [
    "| figure | target | measured | met |",
    "|---|--:|--:|:-:|",
    ...rows.map(({ figure, atLeast, atMost, measured, isMet }) =>
      row([
        figure,
        atLeast === undefined ? `≤ ${bound(atMost!)}` : `≥ ${bound(atLeast)}`,
        measured === undefined ? "not run" : spread(measured),
        isMet === undefined ? "" : isMet ? "yes" : "no",
      ]),
    ),
  ];
}

const bound = (value: number): string => value.toLocaleString("en-US");
