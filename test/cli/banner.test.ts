import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { banner } from "../../src/cli/banner.ts";

const facts = { version: "0.1.0", url: "http://127.0.0.1:8080", database: "PGlite in ./data" };

/** The lines meant for pasting: indented by four. */
const pasted = (text: string): string =>
  text
    .split("\n")
    .filter((line) => line.startsWith("    "))
    .join("\n");

describe("banner", () => {
  test("says where it is, what it uses and where the token is, within 80 columns", () => {
    const text = banner({ ...facts, adminTokenFile: "./data/admin-token" });
    for (const part of [facts.url, facts.database, "token in ./data/admin-token"])
      expect(text).toContain(part);
    for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  test("a token made just now is shown, and kept in the file if there is one", () => {
    expect(banner({ ...facts, adminToken: "gh_secret", adminTokenFile: "data/t" })).toMatch(
      /Administrator {3}gh_secret\n +shown this once; also kept in data\/t\n/,
    );
    expect(banner({ ...facts, adminToken: "gh_secret" })).toContain("export GATEHOUSE_ADMIN_TOKEN=gh_secret");
  });

  test("without a file the commands take the token from the variable", () => {
    expect(banner(facts)).toContain("Bearer $GATEHOUSE_ADMIN_TOKEN");
  });

  test.each([
    ["http://0.0.0.0:8080", "http://localhost:8080/v2"],
    ["http://[::]:8080", "http://localhost:8080/v2"],
    ["http://[::1]:8080", "http://[::1]:8080/v2"],
    ["https://0.0.0.0", "https://localhost/v2"],
  ])("%s is called as %s", (url, called) => {
    expect(pasted(banner({ ...facts, url }))).toContain(called);
  });

  test("its commands work as pasted, from a directory with a space in its name too", async () => {
    const directory = mkdtempSync(join(tmpdir(), "gate house's "));
    const adminTokenFile = join(directory, "admin-token");
    writeFileSync(adminTokenFile, "the-token\n");
    const calls: string[] = [];
    const server = createServer((request, response) => {
      const { authorization, "content-type": contentType = "-" } = request.headers;
      calls.push(`${request.method} ${request.url} ${authorization} ${contentType}`);
      response.setHeader("content-type", "application/json");
      response.end(
        request.method === "POST"
          ? '{"details":{"sequence":"2"},"sessionId":"0198-abc","sessionToken":"gh_t"}'
          : `{"answer":"${request.method}"}`,
      );
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

    const shell = spawn("sh", ["-c", pasted(banner({ ...facts, url, adminTokenFile }))], {
      cwd: directory,
    });
    let output = "";
    shell.stdout.on("data", (chunk) => {
      output += chunk;
    });
    await once(shell, "close");
    server.close();
    rmSync(directory, { recursive: true });

    expect(output).toBe('0198-abc\n{"answer":"DELETE"}\n{"answer":"GET"}\n');
    expect(calls).toEqual([
      "POST /v2/sessions Bearer the-token application/json",
      "DELETE /v2/sessions/0198-abc Bearer the-token -",
      "GET /v2/sessions/0198-abc Bearer the-token -",
    ]);
  });

  test("its commands are one shell script without a syntax error", () => {
    execFileSync("sh", ["-n", "-c", pasted(banner({ ...facts, adminTokenFile: "it's here" }))]);
  });
});
