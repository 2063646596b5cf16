import { readFile } from "node:fs/promises";
import { loadConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { type DemoPeople, demoPeople } from "./demo-people.ts";

export type DemoGatehouse = DemoPeople & { url: string; close(): Promise<void> };

/**
 * A Gatehouse on an embedded database of its own, on any free port of this machine.
 * @param dataDir made on the first start; later starts find the same people, and whatever they enrolled
 */
export async function startDemoGatehouse(dataDir: string): Promise<DemoGatehouse> {
  const config = loadConfig({
    GATEHOUSE_LISTEN: "127.0.0.1:0",
    GATEHOUSE_DATA_DIR: dataDir,
    GATEHOUSE_LOG_LEVEL: "warn",
    // Only the login server calls, and it is no browser.
    GATEHOUSE_CORS_ORIGINS: "none",
    // Without it, whoever holds the login client's token could add proofs to a session by its id alone.
    GATEHOUSE_SET_SESSION_PROOF: "token",
  });
  const server = await startServer(config);
  try {
    const adminToken = (await readFile(server.adminToken!.file!, "utf8")).trim();
    return { ...(await demoPeople(server.url, adminToken, dataDir)), url: server.url, close: server.close };
  } catch (error) {
    await server.close();
    throw error;
  }
}
