import { parseArgs } from "node:util";
import { full, long, type Plan, short } from "./plan.ts";

export const benchmarks = [
  "endpoints",
  "edge",
  "append",
  "passwords",
  "list",
  "endings",
  "retention",
] as const;
export type Benchmark = (typeof benchmarks)[number];

export type CommandLine = { help: boolean; chosen: readonly Benchmark[]; plan: Plan };

export const help = `Usage: npm run bench [-- <benchmark>] [-- --short]

Measures Gatehouse on a PostgreSQL of its own (fsync on) and prints ratios: how much of what
the machine could do at best is left. Both sides are measured in one run, in turns.

Benchmarks, all by default (about an hour; the first three take five minutes):
  endpoints   DeleteSession and GetSession, end to end, on each protocol: Connect JSON, Connect
              binary, gRPC, gRPC-Web, REST; beside an empty handler behind the same listener
  edge        calls that have nothing to do, over gRPC and Connect JSON, on the short way and on
              Connect's; beside a bare handler of Node's that answers the same bytes (needs h2load)
  append      the event store at 1, 8 and 64 callers; beside the same statement by pgbench and by
              a plain pg loop (without pgbench on this machine, by the loop alone)
  passwords   the latency of GetSession while 32 people sign in with their passwords, beside its
              latency while nobody does
  list        pages of SearchSessions and ListSessions over a million sessions; beside reading the
              same sessions by their ids
  endings     one EndSessions over a million sessions that are checked on two nodes, of which one
              is killed meanwhile; CreateSession beside it, and before
  retention   30 days of 2,000 sessions each, on a clock that is moved on: what is kept of them,
              how large tables and indexes are, and what CreateSession costs in the end

One by its name runs longer and swings less.

Options:
  --short     a few minutes: shows that everything runs, the figures are coarse
  --sessions <count>
              sessions of list and endings instead of a million, or 10,000 with --short
  --help      this text

Everything it starts listens on 127.0.0.1, keeps its files in the temporary directory and is gone at
the end, also after Ctrl-C; with a million sessions that is some 30 GiB. A request that fails ends
the run with exit code 1, and so does a promise that is not kept: a session let in after its end, a
total that is not what the rows say, rows that are not what the events say. A slow figure does not.
The figures go to standard output and to bench/results/latest.md and latest.json.
`;

/** @throws Error, a sentence for whoever typed it */
export function parseCommandLine(args: string[]): CommandLine {
  const { values, positionals } = parseArgs({
    args,
    options: {
      short: { type: "boolean" },
      sessions: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
    allowPositionals: true,
  });
  const unknown = positionals.find((name) => !benchmarks.includes(name as Benchmark));
  if (unknown !== undefined) {
    throw new Error(`there is no benchmark "${unknown}"; the benchmarks are ${benchmarks.join(", ")}`);
  }
  const chosen = positionals.length === 0 ? benchmarks : (positionals as Benchmark[]);
  const plan = values.short ? short : chosen.length === 1 ? long : full;
  return { help: values.help ?? false, chosen, plan: sized(plan, values.sessions) };
}

/** Of fewer, some pages of the list would be empty. */
const LEAST_SESSIONS = 10_000;

function sized(plan: Plan, text: string | undefined): Plan {
  if (text === undefined) return plan;
  const sessions = Number(text);
  if (!Number.isSafeInteger(sessions) || sessions < LEAST_SESSIONS) {
    throw new Error(`"${text}" is no number of sessions; give ${LEAST_SESSIONS} at least`);
  }
  return { ...plan, list: { ...plan.list, sessions }, endings: { ...plan.endings, sessions } };
}
