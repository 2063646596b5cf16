import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { measureAppend } from "./append.ts";
import { type Child, startChild } from "./child.ts";
import { type CommandLine, help, parseCommandLine } from "./command-line.ts";
import { measureContention } from "./contention.ts";
import { measureEdge } from "./edge.ts";
import { measureEndings } from "./endings.ts";
import { measureEndpoints } from "./endpoints.ts";
import { measureFlows } from "./flows.ts";
import { measureGrowth } from "./growth.ts";
import { measureList } from "./list.ts";
import { describeMachine } from "./machine.ts";
import { measureMemory } from "./memory.ts";
import { measureOpenLoop } from "./open-loop.ts";
import { measurePasswords } from "./passwords.ts";
import { measurePeers } from "./peers.ts";
import { toMarkdown } from "./report.ts";
import type { Measurements, Results } from "./results.ts";
import { measureRetention } from "./retention.ts";
import type { Stage } from "./stage.ts";
import { targetRows } from "./targets.ts";
import { measureWorkers } from "./workers.ts";

const resultsDirectory = fileURLToPath(new URL("results/", import.meta.url));

/** @returns the exit code: 0 done, 1 failed, 2 asked wrongly, 130 interrupted */
async function main(args: string[]): Promise<number> {
  let commandLine: CommandLine;
  try {
    commandLine = parseCommandLine(args);
  } catch (error) {
    console.error(`bench: ${(error as Error).message}\n  see "npm run bench -- --help"`);
    return 2;
  }
  if (commandLine.help) {
    process.stdout.write(help);
    return 0;
  }
  const measured: Measured = {};
  let exitCode: number;
  try {
    exitCode = (await measure(commandLine, measured)) === "interrupted" ? 130 : 0;
  } catch (error) {
    console.error(`\nbench: ${(error as Error).message}`);
    exitCode = 1;
  }
  await report(measured);
  return exitCode;
}

/** What there is so far: a run that takes an hour and fails in the end does not lose it. */
type Measured = Measurements & Partial<Pick<Results, "startedAt" | "machine">>;

async function report({ startedAt, machine, ...measured }: Measured): Promise<void> {
  if (startedAt === undefined || machine === undefined || Object.keys(measured).length === 0) return;
  const results: Results = { startedAt, machine, targets: targetRows(measured), ...measured };
  const markdown = toMarkdown(results);
  await mkdir(resultsDirectory, { recursive: true });
  await writeFile(`${resultsDirectory}latest.json`, `${JSON.stringify(results, null, 2)}\n`);
  await writeFile(`${resultsDirectory}latest.md`, markdown);
  process.stdout.write(`\n${markdown}`);
}

/** Everything that was started is gone when this settles. */
async function measure(commandLine: CommandLine, results: Measured): Promise<"done" | "interrupted"> {
  await using stage = startChild<Stage>("stage.ts");
  const interrupted = Promise.withResolvers<"interrupted">();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => interrupted.resolve("interrupted"));
  return await Promise.race([measureOn(stage, commandLine, results), interrupted.promise]);
}

async function measureOn(
  stage: Child<Stage>,
  { chosen, plan }: CommandLine,
  results: Measured,
): Promise<"done"> {
  results.startedAt = new Date().toISOString();
  onProgress("starting PostgreSQL");
  results.machine = describeMachine(await stage.call("startPostgres", undefined));
  if (chosen.includes("edge")) results.edge = await measureEdge(plan.edge, onProgress);
  if (chosen.includes("endpoints"))
    results.endpoints = await measureEndpoints(stage, plan.endpoints, onProgress);
  if (chosen.includes("append")) Object.assign(results, await measureAppend(stage, plan.append, onProgress));
  if (chosen.includes("contention"))
    results.contention = await measureContention(stage, plan.contention, onProgress);
  if (chosen.includes("peers")) results.peers = await measurePeers(stage, plan.peers, onProgress);
  if (chosen.includes("flows")) results.flows = await measureFlows(stage, plan.flows, onProgress);
  if (chosen.includes("passwords"))
    results.passwords = await measurePasswords(stage, plan.passwords, onProgress);
  if (chosen.includes("open-loop"))
    results.openLoop = await measureOpenLoop(stage, plan.openLoop, onProgress);
  if (chosen.includes("workers")) results.workers = await measureWorkers(stage, plan.workers, onProgress);
  if (chosen.includes("memory")) results.memory = await measureMemory(stage, plan.memory, onProgress);
  if (chosen.includes("list")) results.list = await measureList(stage, plan.list, onProgress);
  if (chosen.includes("endings")) results.endings = await measureEndings(stage, plan.endings, onProgress);
  if (chosen.includes("retention"))
    results.retention = await measureRetention(stage, plan.retention, onProgress);
  // The last: it starts PostgreSQL anew, again and again.
  if (chosen.includes("growth")) results.growth = await measureGrowth(stage, plan.growth, onProgress);
  return "done";
}

/** On a terminal one line that changes, elsewhere a line each. */
function onProgress(step: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${step}` : `${step}\n`);
}

// After an interruption measurements are still waiting for answers nobody will give.
process.exit(await main(process.argv.slice(2)));
