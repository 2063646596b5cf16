import type { Command } from "./command.ts";
import { storeOptions, withStore } from "./with-store.ts";

/** `gatehouse maintenance run`: what servers do in the background, now and to the end. */
export const maintenance: Command = {
  name: "maintenance",
  summary: "do at once what servers do in the background",
  description: [
    "Servers write endings down, fold and remove sessions that ended long ago, and erase removed users, all by themselves. This does the same without resting, until nothing is left. With PostgreSQL, servers may run meanwhile. With the embedded database, stop the server first.",
  ],
  actions: {
    run: "Does everything there is to do. Exit code 1 if something was locked by others all the time.",
  },
  options: storeOptions,
  switches: { json: "Print the result as JSON." },
  async run({ flags, switches }) {
    const tasks = await withStore(flags, (store, onProgress) => {
      onProgress("working");
      return store.maintain();
    });
    console.log(switches.has("json") ? JSON.stringify({ tasks }) : text(tasks));
    return Object.values(tasks).some(({ held }) => held) ? 1 : 0;
  },
};

function text(tasks: Record<string, { done: number; held: boolean }>): string {
  const width = Math.max(...Object.values(tasks).map(({ done }) => String(done).length));
  return Object.entries(tasks)
    .map(([name, { done, held }]) => {
      const rest = held ? ", and some are left that others have locked" : "";
      return `${String(done).padStart(width)}  ${name}${rest}`;
    })
    .join("\n");
}
