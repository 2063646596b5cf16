import packageJson from "../../package.json" with { type: "json" };
import { loadConfig, optionNames } from "../config.ts";
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
    const { startServer } = await import("../server.ts");
    const progress = printProgress(process.stderr);

    // Asked for first: a signal during the start waits for its end, or a half-made database would stay behind.
    const stopSignal = untilStopSignal();
    const server = await startServer(config, { onProgress: progress.step }).catch((error) => {
      progress.finish("failed");
      throw error;
    });
    progress.finish();
    const { url, database, adminToken } = server;
    const adminTokenFile = adminToken?.file;
    // A secret is for a screen; whatever collects this output otherwise can do with the file's name. A token kept
    // nowhere else is shown all the same: a log collector is a bad place for it, and no place at all is worse.
    const isShown = process.stderr.isTTY || adminTokenFile === undefined;
    const shownToken = isShown ? adminToken?.shownOnce : undefined;
    const facts = { version: packageJson.version, url, database, adminTokenFile, adminToken: shownToken };
    process.stderr.write(banner(facts));
    server.logger.info({ url, database, adminTokenFile }, "listening");

    server.logger.info({ signal: await stopSignal }, "stopping");
    await server.close();
    server.logger.info("stopped");
    return 0;
  },
};
