import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serveGatehouse, spawnGatehouse } from "./gatehouse-process.ts";
import { until } from "./poll.ts";

describe("a server killed during its first start on an embedded database", () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "gatehouse-first-start-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const names = () => readdirSync(directory).map((name) => name.replace(/(?<=unfinished-).*/, ""));

  it.each(["pglite-unfinished-", "pglite", "master-key", "admin-token"])(
    "starts again after it got as far as %s",
    { timeout: 120_000 },
    async (file) => {
      const environment: Record<string, string> = {
        GATEHOUSE_LISTEN: "127.0.0.1:0",
        GATEHOUSE_LOG_FORMAT: "json",
        GATEHOUSE_DATA_DIR: directory,
      };
      const first = spawnGatehouse(["serve"], environment);
      await until(`${file} to be there`, () => names().includes(file));
      await first.kill();
      const second = await serveGatehouse(environment);
      const { adminTokenFile } = second.logs.find(({ msg }) => msg === "listening")!;
      expect(adminTokenFile).toBe(join(directory, "admin-token"));
      expect(names().sort()).toEqual(["admin-token", "lock", "master-key", "pglite"]);
      await second.kill();
    },
  );
});
