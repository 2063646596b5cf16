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

// The process ends with this thread.
function stop(reason: Error): never {
  reply({ fault: reason.message });
  process.exit(1);
}

const engine = await openEngine((workerData as EngineJob).directory, stop);
const checkpointIfDue = limitWal((statement) => run(statement));

async function run(statement: string, parameters: unknown[] = []): Promise<EngineResults> {
  try {
    const results: EngineResults = await engine.query(statement, parameters);
    // PGlite takes what it does not know for the end of the statement.
    if (results.command === undefined) stop(new Error("PostgreSQL stopped in the middle of a statement"));
    return results;
  } catch (error) {
    if ((error as { severity?: string }).severity === "FATAL") stop(error as Error);
    throw error;
  }
}

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
  reply(await outcomeOf(request));
  // A checkpoint that fails for want of space is due again a second later.
  if (!engine.closed && !engine.isInTransaction()) await checkpointIfDue().catch(() => {});
}

let last = Promise.resolve();
port.on("message", (request: EngineRequest) => {
  last = last.then(() => answer(request));
});
reply({ ready: true });
