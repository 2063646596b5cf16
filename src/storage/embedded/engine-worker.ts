/*
 * The embedded database in a thread of its own, started by `engine-thread.ts`. PGlite runs a statement without a
 * pause, for hundreds of milliseconds if it is a heavy one, and waits for the disk in the same way.
 */
import { parentPort, workerData } from "node:worker_threads";
import { limitWal } from "./checkpoints.ts";
import { openEngine } from "./engine.ts";
import { type EngineReply, type EngineRequest, type EngineResults, fieldsOf } from "./engine-messages.ts";

export type EngineJob = { directory: string };

const port = parentPort!;
const reply = (message: EngineReply) => port.postMessage(message);

/** What ends this thread, and the process with it: nobody knows what the engine has kept, or would answer next. */
let fault: unknown;
const engine = await openEngine((workerData as EngineJob).directory, (error) => {
  fault = error;
});
const checkpointIfDue = limitWal(engine);

async function run(statement: string, parameters: unknown[]): Promise<EngineResults> {
  const results: EngineResults = await engine.query(statement, parameters);
  // PGlite takes an abort of PostgreSQL for the end of the statement.
  if (results.command === undefined) fault ??= new Error("PostgreSQL stopped in the middle of a statement");
  return results;
}

/** @returns whether PostgreSQL ended with this error */
const endsEngine = (error: unknown): boolean =>
  // WebAssembly's own: memory exhausted, an instruction that must not be reached.
  (error as Error).name === "RuntimeError" ||
  ["FATAL", "PANIC"].includes((error as { severity?: string }).severity ?? "");

async function answer(request: EngineRequest): Promise<void> {
  const { id } = request;
  try {
    if ("close" in request) await engine.close();
    const results =
      "close" in request ? { rows: [], fields: [] } : await run(request.statement, request.parameters);
    if (fault === undefined) reply({ id, results });
  } catch (error) {
    if (endsEngine(error)) fault ??= error;
    if (fault === undefined) reply({ id, error: fieldsOf(error) });
  }
  if (fault !== undefined) throw new Error(fieldsOf(fault).message);
  if ("close" in request) port.close();
  else await checkpointIfDue();
}

let last = Promise.resolve();
port.on("message", (request: EngineRequest) => {
  last = last.then(() => answer(request));
});
reply({ ready: true });
