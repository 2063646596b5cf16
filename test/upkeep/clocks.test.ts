import { timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { projections } from "../../src/projections/projections.ts";
import { type RunningServer, startServer } from "../../src/server.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { until } from "../crash/poll.ts";
import { sessionClient } from "../support/clients.ts";
import { createTestDatabase, engines } from "../support/databases.ts";
import { ADMIN_TOKEN, testConfig } from "../support/test-config.ts";
import { expectRowsToMatchTheLog } from "../support/test-server.ts";

const DAY_MS = 86_400_000;

async function endingsWritten({ url }: RunningServer): Promise<number> {
  const text = await (await fetch(`${url}/debug/metrics`)).text();
  return Number(/endings_written_total\{reason="expired"\} (\d+)/.exec(text)?.[1] ?? 0);
}

describe.each(engines)("servers on %s whose clocks are wrong", (engine) => {
  // One takes the embedded database at a time.
  it.each(engine === "pglite" ? [[[-1]], [[1]]] : [[[-1, 1]]])(
    "by %j days expire what the database's clock says, once",
    async (days) => {
      const database = await createTestDatabase(engine);
      const servers: RunningServer[] = [];
      for (const day of days) {
        const clock = () => new Date(Date.now() + day * DAY_MS);
        servers.push(await startServer(testConfig(database.config), { clock }));
      }
      const clients = servers.map(({ url }) => sessionClient(url, ADMIN_TOKEN));
      const open = (lifetime: { seconds: bigint } | { nanos: number }) =>
        Promise.all(clients.map(async (client) => (await client.createSession({ lifetime })).sessionId));
      const [short, long] = [await open({ nanos: 1 }), await open({ seconds: 3_600n })];
      await until("the short ones to be written down", async () => {
        const written = await Promise.all(servers.map(endingsWritten));
        return written.reduce((sum, each) => sum + each) === short.length;
      });
      const { session } = await clients[0]!.getSession({ sessionId: long[0]! });
      expect(timestampMs(session!.expirationDate!)).toBeGreaterThan(Date.now());
      await Promise.all(servers.map((server) => server.close()));

      const opened = await database.open();
      const events = new EventRepository(opened.db, projections);
      for (const id of [...short, ...long]) {
        const stream = await events.readStream("session", id);
        const ended = stream.filter(({ type }) => type === "session.expired");
        expect(ended).toHaveLength(short.includes(id) ? 1 : 0);
        for (const { createdAt } of ended)
          expect(createdAt.getTime()).toBeGreaterThan(stream[0]!.createdAt.getTime());
      }
      await opened.close();
      await expectRowsToMatchTheLog(database);
      await database.remove();
    },
  );
});
