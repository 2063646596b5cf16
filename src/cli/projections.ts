import type { Command } from "./command.ts";
import { storeOptions, withStore } from "./with-store.ts";

/** `gatehouse projections verify|rebuild`: compares the rows with the events they are folded from, or refolds them. */
export const projections: Command = {
  name: "projections",
  summary: "check the read models against the events, or rebuild them",
  description: [
    "Each session, user and organization is one row that can be computed from its events at any time. With the embedded database, stop the server first.",
  ],
  actions: {
    verify: "Computes every row anew and compares. Changes nothing; exit code 1 if any differ.",
    rebuild: "Computes every row anew and stores it.",
  },
  options: storeOptions,
  switches: { json: "Print the result as JSON." },
  async run({ action, flags, switches }) {
    const print = (result: unknown, text: string) =>
      console.log(switches.has("json") ? JSON.stringify(result) : text);
    if (action === "rebuild") {
      const result = await withStore(flags, (store, onProgress) => {
        onProgress("rebuilding");
        return store.rebuildProjections();
      });
      print(result, `Rebuilt ${result.rebuilt} rows from their events.`);
      return 0;
    }
    const result = await withStore(flags, (store, onProgress) => {
      onProgress("comparing");
      return store.verifyProjections();
    });
    print(result, verificationText(result));
    return result.differences.length === 0 ? 0 : 1;
  },
};

type Verification = { aggregates: number; differences: { table: string; key: string; column: string }[] };

function verificationText({ aggregates, differences }: Verification): string {
  if (differences.length === 0) return `The rows of all ${aggregates} aggregates agree with their events.`;
  return [
    `${differences.length} differences in the rows of ${aggregates} aggregates:`,
    ...differences.map(({ table, key, column }) => `  ${table} ${key}: ${column}`),
    'Repair them with "gatehouse projections rebuild".',
  ].join("\n");
}
