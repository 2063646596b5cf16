import { type Logger, pino } from "pino";
import pretty from "pino-pretty";
import type { Config } from "./config.ts";

/** The log, on standard output. Each line is written whole, so that processes may share it. */
export function createLogger({ logLevel: level, logFormat }: Pick<Config, "logLevel" | "logFormat">): Logger {
  return logFormat === "pretty" ? pino({ level }, pretty({ sync: true })) : pino({ level });
}
