import { parseArgs } from "node:util";
import { full, long, type Plan, short } from "./plan.ts";

export const benchmarks = [
  "edge",
  "endpoints",
  "append",
  "contention",
  "peers",
  "flows",
  "passwords",
  "open-loop",
  "workers",
  "memory",
  "list",
  "endings",
  "retention",
  "growth",
] as const;
export type Benchmark = (typeof benchmarks)[number];

export type CommandLine = { help: boolean; chosen: readonly Benchmark[]; plan: Plan };

export const help = `Usage: npm run bench [-- <benchmark>] [-- --short]

Measures Gatehouse on a PostgreSQL of its own (fsync on) and prints ratios: how much of what
the machine could do at best is left. Both sides are measured in one run, in turns. The first
table of the output says which of the targets were met.

Benchmarks, all by default (about an hour; docs/bench.md says how to read each):
  edge        a call whose method does nothing through the whole transport, gRPC and Connect JSON;
              beside a handler of node:http2 and node:http
  endpoints   DeleteSession and GetSession, end to end, on each protocol: Connect JSON, Connect
              binary, gRPC, gRPC-Web, REST; beside an empty handler behind the same listener
  append      the event store at 1, 8 and 64 callers; beside the same statement by pgbench and by
              a plain pg loop (without pgbench on this machine, by the loop alone); and reading
              sessions, beside a point select by pgbench; over a million sessions
  contention  256 callers that change 200 sessions on two nodes: no error, and in the log what was
              acknowledged
  peers       GetSession and DeleteSession, beside what better-auth and express-session have for
              them, on the same PostgreSQL; npm installs these two into bench/ the first time
  flows       sign-ins for each second of processor time: CreateSession with a user check, and
              with user and password; beside bcrypt alone
  passwords   the latency of GetSession while 32 people sign in with their passwords, beside its
              latency while nobody does
  open-loop   latencies of GetSession and DeleteSession at a fixed rate, half of the highest
  workers     DeleteSession on a server with two workers, beside one with one
  memory      what the server holds after a million requests, beside after ten thousand
  list        pages of SearchSessions and ListSessions over a million sessions; beside reading the
              same sessions by their ids
  endings     one EndSessions over a million sessions that are checked on two nodes, of which one
              is killed meanwhile; CreateSession beside it, and before
  retention   30 days of 2,000 sessions each, on a clock that is moved on: what is kept of them,
              how large tables and indexes are, and what CreateSession costs in the end
  growth      create, get, set, end and list at 10 thousand, 1 million and 10 million sessions

One by its name runs longer and swings less. With all of them list, endings, retention and growth
are smaller than said here (docs/bench.md).

Options:
  --short     some six minutes: shows that everything runs, the figures are coarse
  --sessions <count>
              sessions of append, list and endings instead of a million, or 10,000 with --short; and
              the most of growth
  --help      this text

Everything it starts listens on 127.0.0.1, keeps its files in the temporary directory and is gone at
the end, also after Ctrl-C; with ten million sessions that is some 40 GiB. A request that fails ends
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
  return {
    ...plan,
    append: { ...plan.append, sessions },
    list: { ...plan.list, sessions },
    endings: { ...plan.endings, sessions },
    growth: { ...plan.growth, sessions: [...new Set([LEAST_SESSIONS, sessions])] },
  };
}
