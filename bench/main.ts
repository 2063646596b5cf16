import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { measureAppend } from "./append.ts";
import { startChild } from "./child.ts";
import { type CommandLine, help, parseCommandLine } from "./command-line.ts";
import { measureEndpoints } from "./endpoints.ts";
import { describeMachine } from "./machine.ts";
import { type Results, toMarkdown } from "./report.ts";
import type { Stage } from "./stage.ts";

const resultsDirectory = fileURLToPath(new URL("results/", import.meta.url));

/** @returns the exit code: 0 done, 1 failed, 2 asked wrongly */
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

async function measure({ chosen, plan }: CommandLine): Promise<Results> {
  const startedAt = new Date().toISOString();
  await using stage = startChild<Stage>("stage.ts");
  onProgress("starting PostgreSQL");
  const machine = describeMachine(await stage.call("startPostgres", undefined));
  return {
    startedAt,
    machine,
    ...(chosen.includes("endpoints")
      ? { endpoints: await measureEndpoints(stage, plan.endpoints, onProgress) }
      : {}),
    ...(chosen.includes("append") ? { append: await measureAppend(stage, plan.append, onProgress) } : {}),
  };
}

/** On a terminal one line that changes, elsewhere a line each. */
function onProgress(step: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${step}` : `${step}\n`);
}

// Children end when this process is gone, in whatever way; they are given no reason to.
for (const [signal, number] of [
  ["SIGINT", 2],
  ["SIGTERM", 15],
] as const) {
  process.once(signal, () => process.exit(128 + number));
}

process.exitCode = await main(process.argv.slice(2));
