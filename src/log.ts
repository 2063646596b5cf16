import { type DestinationStream, type Logger, type LoggerOptions, pino, symbols } from "pino";
import pretty from "pino-pretty";
import type { Config } from "./config.ts";

/** The log of the process, on standard output. */
export function createLogger({ logLevel: level, logFormat }: Pick<Config, "logLevel" | "logFormat">): Logger {
  return logFormat === "pretty"
    ? pino({ level }, pretty({ sync: true }))
    : createBatchingLogger({ level }, pino.destination({ dest: 1, sync: true }));
}

/** From this length on, in characters, lines do not wait for more. */
const MOST_WAITING = 65_536;
/** pino's number for errors. */
const ERROR = 50;

/**
 * Writes the lines of one turn of the event loop together: under load a write for each would be a tenth of the time of
 * a call. None waits longer than the turn it was logged in, an error takes all before it along at once, and what is
 * waiting when the process ends is written before it does, also if an exception ends it. Only what ends it from outside
 * (kill -9, no memory) takes the lines of that turn, of which a call's answer may have been sent a moment before.
 */
export function createBatchingLogger(options: LoggerOptions, destination: DestinationStream): Logger {
  let waiting = "";
  const flush = () => {
    const lines = waiting;
    waiting = "";
    if (lines !== "") destination.write(lines);
  };
  process.on("exit", flush);
  const stream = {
    // Has pino tell the level of each line.
    [symbols.needsMetadataGsym]: true,
    lastLevel: 0,
    write(line: string) {
      if (waiting === "") setImmediate(flush);
      waiting += line;
      if (this.lastLevel >= ERROR || waiting.length >= MOST_WAITING) flush();
    },
  };
  return pino(options, stream);
}
