#!/usr/bin/env -S node --max-semi-space-size=32 --heap-growing-percent=60
import { enableCompileCache } from "node:module";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import type { Command } from "./cli/command.ts";
import { parseCommandLine, UsageError } from "./cli/command.ts";
import { config } from "./cli/config.ts";
import { reportFailure } from "./cli/failure.ts";
import { commandHelp, overview } from "./cli/help.ts";
import { maintenance } from "./cli/maintenance.ts";
import { migrate } from "./cli/migrate.ts";
import { projections } from "./cli/projections.ts";
import { serve } from "./cli/serve.ts";
import { nearestName, unknownVariables } from "./config.ts";

const commands: readonly Command[] = [serve, migrate, maintenance, projections, config];

/**
 * The `gatehouse` binary: finds the command and runs it.
 * @param args what was typed after the program's name
 * @returns the exit code: 0 done, 1 failed, 2 asked wrongly
 */
async function main(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  if (first === "--version" || first === "-v") {
    console.log(packageJson.version);
    return 0;
  }
  if (first === "--help" || first === "-h" || (first === "help" && rest.length === 0)) {
    process.stdout.write(overview(commands));
    return 0;
  }
  if (first === undefined) {
    process.stderr.write(overview(commands));
    return 2;
  }
  try {
    if (first === "help") {
      process.stdout.write(commandHelp(findCommand(rest[0]!)));
      return 0;
    }
    const command = findCommand(first);
    const call = parseCommandLine(command, rest);
    if (call.switches.has("help")) {
      process.stdout.write(commandHelp(command));
      return 0;
    }
    warnOfUnknownVariables();
    return await command.run(call);
  } catch (error) {
    return reportFailure(error);
  }
}

function findCommand(name: string): Command {
  const command = commands.find((each) => each.name === name);
  if (command !== undefined) return command;
  const nearest = nearestName(
    name,
    commands.map((each) => each.name),
  );
  throw new UsageError(
    name.startsWith("-")
      ? `${name} comes after a command, or is none of ours`
      : `there is no command "${name}"`,
    nearest ? `did you mean "gatehouse ${nearest}"?` : 'see "gatehouse --help"',
  );
}

// A typing mistake in a name must not pass in silence; it must not stop a newer or older version either.
function warnOfUnknownVariables(): void {
  for (const { variable, nearest } of unknownVariables(process.env)) {
    console.error(`gatehouse: ${variable} is not an option${nearest ? `; did you mean ${nearest}?` : ""}`);
  }
}

// What a command imports from here on is compiled, and its types are stripped, once: a fifth of a later start. Not in
// the system's directory for temporary files, where others could have put theirs. If this one cannot be written: well.
enableCompileCache(join(import.meta.dirname, "../node_modules/.cache/compiled"));
process.exitCode = await main(process.argv.slice(2));
// Whatever still holds the event loop after that, it is not work: give output a second to drain and leave.
setTimeout(() => process.exit(), 1_000).unref();
