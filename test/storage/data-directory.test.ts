import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataDirectory } from "../../src/storage/data-directory.ts";
import { scratchRoot } from "../support/scratch.ts";

describe("a data directory", () => {
  let path: string;
  let directory: DataDirectory;
  beforeEach(async () => {
    path = await mkdtemp(join(scratchRoot(), "gatehouse-data-directory-"));
    directory = new DataDirectory(path);
  });
  afterEach(() => rm(path, { recursive: true, force: true }));

  const key = () => new Uint8Array(32).fill(1);
  const leave = (name: string) => writeFile(join(path, name), "left behind\n");
  const leftover = "0197a000-0000-4000-8000-00000000000a";

  it("keeps the first secrets it was given", async () => {
    expect(await directory.masterKey(key)).toEqual(key());
    expect(await directory.masterKey(() => new Uint8Array(32))).toEqual(key());
    expect(await directory.adminToken(() => "first")).toBe("first");
    expect(await directory.adminToken(() => "second")).toBe("first");
    expect((await readdir(path)).sort()).toEqual(["admin-token", "master-key"]);
  });

  it("loses what a start that was killed has left behind of them, and nothing else", async () => {
    await directory.masterKey(key);
    await directory.adminToken(() => "first");
    for (const name of ["master-key", "admin-token"]) {
      await leave(`${name}.${leftover}`);
      await leave(`${name}.backup`);
    }
    await directory.masterKey(key);
    await directory.adminToken(() => "second");
    const names = ["admin-token", "admin-token.backup", "master-key", "master-key.backup"];
    expect((await readdir(path)).sort()).toEqual(names);
    expect(await readFile(join(path, "admin-token"), "utf8")).toBe("first\n");
  });

  it("makes a key in the place of one that was never whole", async () => {
    await leave(`master-key.${leftover}`);
    expect(await directory.masterKey(key)).toEqual(key());
    expect(await readdir(path)).toEqual(["master-key"]);
  });
});
