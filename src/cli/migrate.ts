import type { Command } from "./command.ts";
import { storeOptions, withStore } from "./with-store.ts";

/** `gatehouse migrate`: brings the schema up to date without serving. */
export const migrate: Command = {
  name: "migrate",
  summary: "bring the database schema up to date, and stop",
  description: [
    '"gatehouse serve" does this by itself when it starts. A step of its own is for deployments that change the schema before the first new server runs, or with another database user.',
  ],
  options: storeOptions,
  switches: { json: "Print what was applied as JSON." },
  async run({ flags, switches }) {
    const { applied } = await withStore(flags, (store, onProgress) => store.migrate(onProgress));
    if (switches.has("json")) console.log(JSON.stringify({ applied }));
    else if (applied.length === 0) console.log("The schema is up to date already.");
    else console.log(`Applied:\n${applied.map((name) => `  ${name}\n`).join("")}The schema is up to date.`);
    return 0;
  },
};
