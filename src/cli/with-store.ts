import type { Flags, OptionName } from "../config.ts";
import { loadConfig } from "../config.ts";
import type { Store } from "../store.ts";
import { printProgress, silentProgress } from "./progress.ts";

/** The options of commands that open the database and serve nobody. */
export const storeOptions: readonly OptionName[] = ["databaseUrl", "databasePoolSize", "dataDir"];

/**
 * Opens the database of the configuration for `work` and closes it afterwards, whatever happened.
 * @throws ConfigError, and what `openStore` throws
 */
export async function withStore<T>(
  flags: Flags,
  work: (store: Store, onProgress: (step: string) => void) => Promise<T>,
): Promise<T> {
  const config = loadConfig(process.env, flags, { serving: false });
  const { openStore } = await import("../store.ts");
  const progress = process.stderr.isTTY ? printProgress(process.stderr) : silentProgress;
  try {
    const store = await openStore(config, progress.step);
    try {
      const result = await work(store, progress.step);
      progress.finish();
      return result;
    } finally {
      await store.close();
    }
  } catch (error) {
    progress.finish("failed");
    throw error;
  }
}
