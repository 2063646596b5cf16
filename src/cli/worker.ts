import { PrimaryLink } from "../cluster/primary-link.ts";
import { type RunningServer, startServer } from "../server.ts";
import { reportFailure } from "./failure.ts";
import { printProgress, silentProgress } from "./progress.ts";

// One of several processes of "gatehouse serve": what src/cluster/worker-group.ts starts.

const link = new PrimaryLink();
// Ctrl-C reaches every process of a terminal, and the primary says what is to follow. SIGTERM to a worker alone ends it
// in good order, and another one takes its place.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => link.stop());

const order = await Promise.race([link.order, link.stopped]);
process.exit(order === undefined ? 0 : await serve());

/** @returns the exit code */
async function serve(): Promise<number> {
  const { config, showsProgress, ticketKeys } = await link.order;
  const progress = showsProgress ? printProgress(process.stderr) : silentProgress;
  let server: RunningServer;
  try {
    server = await startServer(config, {
      onProgress: progress.step,
      metrics: link.metrics,
      sharedPort: link.sharedPort(ticketKeys),
    });
  } catch (error) {
    progress.finish("failed");
    return reportFailure(error);
  }
  progress.finish();
  const { url, database, adminToken } = server;
  link.serving({ url, database, ...(adminToken && { adminToken }) });
  await link.stopped;
  await server.close();
  await link.goodbye();
  return 0;
}
