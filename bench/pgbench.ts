import { execFile, spawnSync } from "node:child_process";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import type { StoreRound } from "./append-caller.ts";
import type { UsedSessions } from "./append-database.ts";
import { percentile, type Round } from "./statistics.ts";

const execute = promisify(execFile);

/** Where Linux packages and Homebrew put it if not on the PATH. */
const usualPlaces = [18, 17, 16, 15].flatMap((major) => [
  `/usr/lib/postgresql/${major}/bin`,
  `/usr/pgsql-${major}/bin`,
  `/opt/homebrew/opt/postgresql@${major}/bin`,
]);

/** The program that comes with PostgreSQL; undefined where it is not installed. */
export function findPgbench(): string | undefined {
  const directories = [...(process.env.PATH ?? "").split(delimiter), ...usualPlaces];
  return directories.map((directory) => join(directory, "pgbench")).find(runs);
}

// Debian has a wrapper by this name that only says what to install.
const runs = (program: string): boolean => spawnSync(program, ["--version"]).status === 0;

export type PgbenchRound = StoreRound & {
  databaseUrl: string;
  /** On `:n`, the number of one of the used sessions. */
  statement: string;
  used: UsedSessions;
};

/**
 * One round of a statement, prepared, by PostgreSQL's own load generator.
 * @param directory for its script and its log, which is removed afterwards
 */
export async function runPgbench(
  program: string,
  { databaseUrl, statement, used, callers, seconds }: PgbenchRound,
  directory: string,
): Promise<Round> {
  const file = join(directory, "statement.sql");
  await writeFile(file, `\\set n random(1, ${used.count})\n${statement};\n`);
  const url = new URL(databaseUrl);
  const { stdout } = await execute(
    program,
    [
      ...["-n", "-M", "prepared", "-f", file, "-T", String(Math.ceil(seconds))],
      ...["-c", String(callers), "-j", String(Math.min(callers, availableParallelism()))],
      ...["-l", "--log-prefix", join(directory, LOG)],
      ...["-h", url.hostname, "-p", url.port, "-U", url.username, url.pathname.slice(1)],
    ],
    { env: { ...process.env, PGPASSWORD: url.password } },
  );
  const perSecond = Number(/tps = ([\d.]+) \(without/.exec(stdout)?.[1]);
  const failed = Number(/number of failed transactions: (\d+)/.exec(stdout)?.[1] ?? 0);
  if (!(perSecond > 0) || failed > 0) throw new Error(`pgbench failed:\n${stdout}`);
  const latencies = await takeLatencies(directory);
  return { perSecond, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) };
}

const LOG = "transactions";

/** The third column of pgbench's transaction log, in microseconds there. */
async function takeLatencies(directory: string): Promise<number[]> {
  const names = (await readdir(directory)).filter((name) => name.startsWith(LOG));
  const paths = names.map((name) => join(directory, name));
  const logs = await Promise.all(paths.map((path) => readFile(path, "utf8")));
  await Promise.all(paths.map((path) => rm(path)));
  return logs.flatMap((log) =>
    log
      .trim()
      .split("\n")
      .map((line) => Number(line.split(" ", 3)[2]) / 1_000),
  );
}
