import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/databases.ts";
import { environmentOf, serveGatehouse } from "./gatehouse-process.ts";
import { within } from "./poll.ts";
import { created, Sessions } from "./session-calls.ts";

/** A WAL segment has 16 MiB; a session with this much metadata writes more than one of them. */
const LARGE = Object.fromEntries(
  Array.from({ length: 12 }, (_, index) => [`key ${index}`, randomBytes(48 * 1024).toString("base64")]),
);

describe("a server whose embedded database breaks down", () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createTestDatabase("pglite");
  });
  afterEach(() => database.remove());

  it("ends with a line that says why, and leaves no caller waiting", { timeout: 90_000 }, async () => {
    const server = await serveGatehouse(environmentOf(database.config));
    const sessions = new Sessions(server.url);
    await created(sessions);
    rmSync(join(database.config.dataDir!, "pglite", "pg_wal"), { recursive: true });
    const calls = async () => {
      for (;;) await created(sessions, { metadata: LARGE });
    };
    // Refused by a server that is going, or by none.
    await within("the calls", 60_000, Promise.allSettled([calls(), calls()]));
    expect(await within("the end", 10_000, server.exit)).toEqual({ code: 1, signal: null });
    expect(server.stderr()).toMatch(
      /\ngatehouse: the embedded database stopped: could not create file [^\n]+\n$/,
    );
  });
});
