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
const checkpointIfDue = limitWal((statement) => run(statement));

async function run(statement: string, parameters: unknown[] = []): Promise<EngineResults> {
  try {
    const results: EngineResults = await engine.query(statement, parameters);
    // PGlite takes an abort of PostgreSQL for the end of the statement.
    if (results.command === undefined) fault ??= new Error("PostgreSQL stopped in the middle of a statement");
    return results;
  } catch (error) {
    if (endsEngine(error)) fault ??= error;
    throw error;
  }
}

const endsEngine = (error: unknown): boolean =>
  // WebAssembly's own: memory exhausted, an instruction that must not be reached.
  (error as Error).name === "RuntimeError" ||
  ["FATAL", "PANIC"].includes((error as { severity?: string }).severity ?? "");

async function outcomeOf(request: EngineRequest): Promise<EngineReply> {
  const { id } = request;
  try {
    if (!("close" in request)) return { id, results: await run(request.statement, request.parameters) };
    await engine.close();
    return { id, results: { rows: [], fields: [] } };
  } catch (error) {
    return { id, error: fieldsOf(error) };
  }
}

async function answer(request: EngineRequest): Promise<void> {
  const outcome = await outcomeOf(request);
  if (fault === undefined) reply(outcome);
  // A checkpoint that fails for want of space is due again a second later.
  if (!engine.closed && !engine.isInTransaction()) await checkpointIfDue().catch(() => {});
  if (fault !== undefined) throw new Error(fieldsOf(fault).message);
}

let last = Promise.resolve();
port.on("message", (request: EngineRequest) => {
  last = last.then(() => answer(request));
});
reply({ ready: true });
