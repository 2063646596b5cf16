/*
 * Makes the files of an embedded database and ends: `node first-start.ts <directory>`, run by `create-database.ts`.
 *
 * In a process of its own, for what that takes of memory is then given back, and for V8's optimizing compiler, which
 * would spend half of the time and of the memory on code that runs once, to be left out of it (docs/decisions/0018).
 */
import { setFlagsFromString } from "node:v8";

// Before there is any WebAssembly. A V8 that does not know them ignores them.
for (const flag of ["--liftoff-only", "--no-wasm-tier-up", "--no-wasm-dynamic-tiering"])
  setFlagsFromString(flag);
const { createEngine } = await import("./engine.ts");
try {
  await createEngine(process.argv[2]!);
} catch (error) {
  // Not the stack: it would print the line of PGlite it points to, all hundred thousand characters of it.
  process.stderr.write(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
