import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { measureAppend } from "./append.ts";
import { type Child, startChild } from "./child.ts";
import { type CommandLine, help, parseCommandLine } from "./command-line.ts";
import { measureEdge } from "./edge.ts";
import { measureEndings } from "./endings.ts";
import { measureEndpoints } from "./endpoints.ts";
import { measureList } from "./list.ts";
import { describeMachine } from "./machine.ts";
import { measurePasswords } from "./passwords.ts";
import { type Results, toMarkdown } from "./report.ts";
import { measureRetention } from "./retention.ts";
import type { Stage } from "./stage.ts";

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
  try {
    const results = await measure(commandLine);
    if (results === "interrupted") return 130;
    const markdown = toMarkdown(results);
    await mkdir(resultsDirectory, { recursive: true });
    await writeFile(`${resultsDirectory}latest.json`, `${JSON.stringify(results, null, 2)}\n`);
    await writeFile(`${resultsDirectory}latest.md`, markdown);
    process.stdout.write(`\n${markdown}`);
    return 0;
  } catch (error) {
    console.error(`\nbench: ${(error as Error).message}`);
    return 1;
  }
}

/** Everything that was started is gone when this settles. */
async function measure(commandLine: CommandLine): Promise<Results | "interrupted"> {
  await using stage = startChild<Stage>("stage.ts");
  const interrupted = Promise.withResolvers<"interrupted">();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => interrupted.resolve("interrupted"));
  return await Promise.race([measureOn(stage, commandLine), interrupted.promise]);
}

async function measureOn(stage: Child<Stage>, { chosen, plan }: CommandLine): Promise<Results> {
  const startedAt = new Date().toISOString();
  onProgress("starting PostgreSQL");
  const results: Results = {
    startedAt,
    machine: describeMachine(await stage.call("startPostgres", undefined)),
  };
  if (chosen.includes("endpoints"))
    results.endpoints = await measureEndpoints(stage, plan.endpoints, onProgress);
  if (chosen.includes("edge")) results.edge = await measureEdge(plan.edge, onProgress);
  if (chosen.includes("append")) results.append = await measureAppend(stage, plan.append, onProgress);
  if (chosen.includes("passwords"))
    results.passwords = await measurePasswords(stage, plan.passwords, onProgress);
  if (chosen.includes("list")) results.list = await measureList(stage, plan.list, onProgress);
  if (chosen.includes("endings")) results.endings = await measureEndings(stage, plan.endings, onProgress);
  if (chosen.includes("retention"))
    results.retention = await measureRetention(stage, plan.retention, onProgress);
  return results;
}

/** On a terminal one line that changes, elsewhere a line each. */
function onProgress(step: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${step}` : `${step}\n`);
}

// After an interruption measurements are still waiting for answers nobody will give.
process.exit(await main(process.argv.slice(2)));
