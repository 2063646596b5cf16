import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { explainFailure } from "../../src/cli/failure.ts";
import { ConfigError } from "../../src/config.ts";
import { DomainError } from "../../src/errors.ts";

/** The error a server gets that listens on a taken port. */
async function portInUse(): Promise<{ error: Error; port: number }> {
  const first = createServer().listen(0, "127.0.0.1");
  await once(first, "listening");
  const { port } = first.address() as AddressInfo;
  const second = createServer().listen(port, "127.0.0.1");
  const [error] = await new Promise<[Error]>((resolve) => second.once("error", (...args) => resolve(args)));
  first.close();
  return { error, port };
}

test("a taken port is named, with the flag that chooses another", async () => {
  const { error, port } = await portInUse();
  expect(explainFailure(error)).toEqual({
    message: `127.0.0.1:${port} is in use by another program`,
    hint: "give another one, such as --listen :8081",
    exitCode: 1,
  });
});

test("a database that refuses connections is named, seen directly or through the storage's error", async () => {
  const { port } = await portInUse();
  const socket = connect(port, "127.0.0.1");
  const refused = await new Promise<Error>((resolve) => socket.once("error", resolve));
  for (const error of [
    refused,
    new DomainError("storage.unavailable", { cause: refused }),
    Object.assign(new AggregateError([refused]), { code: "ECONNREFUSED" }),
  ]) {
    expect(explainFailure(error).message).toBe(`127.0.0.1:${port} refuses connections`);
    expect(explainFailure(error).hint).toContain("GATEHOUSE_DATABASE_URL");
  }
});

test("a data directory that is a file is named", () => {
  const directory = mkdtempSync(join(tmpdir(), "gatehouse-failure-"));
  const file = join(directory, "data");
  writeFileSync(file, "");
  let failure: unknown;
  try {
    mkdirSync(join(file, "db"), { recursive: true });
  } catch (error) {
    failure = error;
  }
  rmSync(directory, { recursive: true });
  expect(explainFailure(failure)).toMatchObject({ exitCode: 1, message: expect.stringContaining(file) });
  expect(explainFailure(failure).message).toContain("is not a directory");
});

test.each(["28P01", "28000", "3D000", "40P01", "42501", "53300", "55P03"])(
  "PostgreSQL's refusal %s is put into words",
  (code) => {
    const refusal = Object.assign(new Error('password authentication failed for user "hunter22"'), { code });
    const failure = explainFailure(refusal);
    expect(failure.unexpected).toBeUndefined();
    expect(failure.hint).toBeDefined();
    expect(failure.message).not.toContain("hunter22");
  },
);

test("a locked data directory says what to do, whatever it was locked with", () => {
  const cause = Object.assign(new Error("exists"), { code: "EEXIST", path: "data/lock" });
  expect(explainFailure(new DomainError("storage.locked", { cause }))).toEqual({
    message: "the data directory is in use by another process",
    hint: expect.stringContaining("--data-dir"),
    exitCode: 1,
  });
});

test("a wrong configuration exits with 2, with its hint", () => {
  expect(explainFailure(new ConfigError("X: wrong", "try Y"))).toEqual({
    message: "X: wrong",
    hint: "try Y",
    exitCode: 2,
  });
});

test.each([[new TypeError("x is not a function")], ["a thrown text"], [undefined]])(
  "anything else is reported as a fault of ours",
  (error) => {
    expect(explainFailure(error)).toMatchObject({ exitCode: 1, unexpected: true });
  },
);
