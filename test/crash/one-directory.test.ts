import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startServer } from "../../src/server.ts";
import { createTestDatabase, type TestDatabase } from "../support/databases.ts";
import { testConfig } from "../support/test-config.ts";
import { environmentOf, runGatehouse, serveGatehouse } from "./gatehouse-process.ts";
import { within } from "./poll.ts";
import { created, Sessions } from "./session-calls.ts";

describe("one data directory", () => {
  let database: TestDatabase;
  let environment: Record<string, string>;
  let directory: string;

  beforeEach(async () => {
    database = await createTestDatabase("pglite");
    directory = database.config.dataDir!;
    environment = environmentOf(database.config);
  });
  afterEach(() => database.remove());

  it("serves one server: the second is refused with one sentence, and the first goes on", async () => {
    const first = await serveGatehouse(environment);
    const sessions = new Sessions(first.url);
    const before = await created(sessions);
    for (const args of [["serve"], ["projections", "verify"]]) {
      const second = await runGatehouse(args, environment);
      expect(second).toMatchObject({ code: 1, stdout: "" });
      expect(second.stderr).toMatch(
        /^gatehouse: the data directory [^\n]+ is in use by another Gatehouse[^\n]*\n {2}[^\n]+\n$/,
      );
    }
    expect(await sessions.get(before.id, before.token)).toMatchObject({ code: "ok" });
    await created(sessions);
    first.signal("SIGTERM");
    expect(await first.exit).toEqual({ code: 0, signal: null });
  });

  it("is free again the moment its server is gone, killed or not", async () => {
    let server = await serveGatehouse(environment);
    const kept = await created(new Sessions(server.url));
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      server.signal(signal);
      await within("the end", 10_000, server.exit);
      server = await serveGatehouse(environment);
      expect(await new Sessions(server.url).get(kept.id, kept.token)).toMatchObject({ code: "ok" });
    }
    await server.kill();
  });

  it("has one winner when two servers start in it together", async () => {
    const starts = [serveGatehouse(environment), serveGatehouse(environment)];
    const outcomes = await Promise.allSettled(starts);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") await created(new Sessions(outcome.value.url));
      else expect(String(outcome.reason)).toContain("in use by another Gatehouse");
    }
  });

  it("is not said to be in use by another when its lock is no lock", async () => {
    await writeFile(join(directory, "lock"), "This is no lock, whoever wrote it.".repeat(100));
    const refused = await runGatehouse(["serve"], environment);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("file is not a database");
    expect(refused.stderr).not.toContain("in use");
  });

  it("is let go by a start that fails, whatever made it fail", async () => {
    await writeFile(join(directory, "pglite", "global", "pg_control"), "damaged");
    const start = () => startServer(testConfig(database.config));
    const failure = await start().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect(failure).not.toMatchObject({ slug: "storage.locked" });
    await expect(start()).rejects.not.toMatchObject({ slug: "storage.locked" });
  });

  it("is not served under another master key than the one it was made with", async () => {
    const other = await runGatehouse(["serve"], { ...environment, GATEHOUSE_MASTER_KEY: "ab".repeat(32) });
    expect(other).toMatchObject({ code: 2, stdout: "" });
    expect(other.stderr).toContain("the master key is not the one this database was created with");
    const right = await serveGatehouse(environment);
    await created(new Sessions(right.url));
    await right.kill();
  });

  it("stops a server whose master key is damaged, and leaves the key alone", async () => {
    const { GATEHOUSE_MASTER_KEY: _, ...withoutKey } = environment;
    const path = join(directory, "master-key");
    await writeFile(path, "");
    const refused = await runGatehouse(["serve"], withoutKey);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toMatch(/^gatehouse: \S+master-key is damaged[^\n]*\n {2}[^\n]+\n$/);
    expect((await stat(path)).size).toBe(0);
  });
});

describe("the secrets in a data directory", () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "gatehouse-secrets-"));
    // Others may look in: the files have to protect themselves.
    await chmod(directory, 0o755);
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it("are for their owner only, and the token lets the administrator in", async () => {
    const server = await serveGatehouse({
      GATEHOUSE_LISTEN: "127.0.0.1:0",
      GATEHOUSE_LOG_FORMAT: "json",
      GATEHOUSE_DATA_DIR: directory,
    });
    const { adminTokenFile } = server.logs.find(({ msg }) => msg === "listening")!;
    for (const file of ["master-key", "admin-token"]) {
      expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600);
    }
    const token = (await readFile(String(adminTokenFile), "utf8")).trim();
    await created(new Sessions(server.url, token));
    await server.kill();
  });
});
