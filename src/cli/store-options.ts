import type { OptionName } from "../config.ts";

/** The options of commands that open the database and serve nobody. */
export const storeOptions: readonly OptionName[] = [
  "databaseUrl",
  "databasePoolSize",
  "dataDir",
  "logLevel",
  "logFormat",
];
