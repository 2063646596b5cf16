import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import packageJson from "../../package.json" with { type: "json" };
import type { ServerFacts } from "../cluster/messages.ts";
import { type Config, loadConfig, optionNames, workersOf } from "../config.ts";
import { banner } from "./banner.ts";
import type { Command } from "./command.ts";
import { printProgress } from "./progress.ts";
import { untilStopSignal } from "./stop-signal.ts";

/** `gatehouse serve`: starts the server, says where it is, and stops it in good order. */
export const serve: Command = {
  name: "serve",
  summary: "run the server",
  description: [
    "Runs until SIGTERM or SIGINT, then lets open requests finish; a second signal stops it at once. The log goes to standard output, everything meant for people to standard error.",
    "Without --database-url the data lives in an embedded database, made on first start together with a master key and an administrator's token.",
  ],
  options: optionNames,
  switches: {},
  async run({ flags }) {
    const config = loadConfig(process.env, flags);
    // Asked for first: a signal during the start waits for its end, or a half-made database would stay behind.
    const stopSignal = untilStopSignal();
    const workers = workersOf(config);
    return workers === 1 ? serveAlone(config, stopSignal) : serveTogether(config, workers, stopSignal);
  },
};

async function serveAlone(config: Config, stopSignal: Promise<NodeJS.Signals>): Promise<number> {
  const { startServer } = await import("../server.ts");
  const progress = printProgress(process.stderr);
  const server = await startServer(config, { onProgress: progress.step }).catch((error) => {
    progress.finish("failed");
    throw error;
  });
  progress.finish();
  announce(server, server.logger);
  server.logger.info({ signal: await stopSignal }, "stopping");
  await server.close();
  server.logger.info("stopped");
  return 0;
}

/** This process watches over others that serve; what keeps one of them from starting, it tells people itself. */
async function serveTogether(
  config: Config,
  count: number,
  stopSignal: Promise<NodeJS.Signals>,
): Promise<number> {
  const { WorkerFailed, WorkerGroup } = await import("../cluster/worker-group.ts");
  const { createLogger } = await import("../log.ts");
  const logger = createLogger(config);
  const entry = fileURLToPath(new URL("./worker.ts", import.meta.url));
  const group = new WorkerGroup({ config, count, entry, logger });
  try {
    announce(await group.start(), logger, count);
  } catch (error) {
    if (error instanceof WorkerFailed) return error.exitCode;
    throw error;
  }
  const end = await Promise.race([stopSignal, group.givenUp]);
  if (end instanceof WorkerFailed) return 1;
  logger.info({ signal: end }, "stopping");
  const inOrder = await group.stop();
  logger.info("stopped");
  return inOrder ? 0 : 1;
}

/** Tells the person and the log that the server is up. */
function announce({ url, database, adminToken }: ServerFacts, logger: Logger, workers?: number): void {
  const adminTokenFile = adminToken?.file;
  // A secret is for a screen; whatever collects this output otherwise can do with the file's name. A token kept
  // nowhere else is shown all the same: a log collector is a bad place for it, and no place at all is worse.
  const isShown = process.stderr.isTTY || adminTokenFile === undefined;
  const shownToken = isShown ? adminToken?.shownOnce : undefined;
  const facts = { version: packageJson.version, url, database, adminTokenFile, adminToken: shownToken };
  process.stderr.write(banner(facts));
  logger.info({ url, database, adminTokenFile, workers }, "listening");
}
