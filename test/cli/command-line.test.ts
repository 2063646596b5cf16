import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import packageJson from "../../package.json" with { type: "json" };

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

function gatehouse(args: string[], env: Record<string, string> = {}) {
  const clean = Object.entries(process.env).filter(([name]) => !/^(GATEHOUSE_|NODE_|VITEST)/.test(name));
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    env: { ...Object.fromEntries(clean), ...env },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

describe("help", () => {
  test.each([
    ["--help"],
    ["help"],
    ["serve", "--help"],
    ["help", "serve"],
    ["migrate", "--help"],
    ["projections", "--help"],
    ["config", "--help"],
  ])("gatehouse %s %s fits a terminal of 80 columns", (...args) => {
    const { status, stdout, stderr } = gatehouse(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain("Usage: gatehouse ");
    for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  test("the overview names every command", () => {
    const { stdout } = gatehouse(["--help"]);
    for (const name of ["serve", "migrate", "maintenance", "projections", "config"])
      expect(stdout).toContain(`  ${name} `);
  });

  test("help answers even where the rest of the line is wrong", () => {
    expect(gatehouse(["projections", "fix", "--help"]).status).toBe(0);
  });

  test("no command prints the overview as an error", () => {
    const { status, stdout, stderr } = gatehouse([]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain("Usage:");
  });

  test("--version prints the package's", () => {
    expect(gatehouse(["--version"])).toEqual({ status: 0, stdout: `${packageJson.version}\n`, stderr: "" });
  });
});

describe("what is refused, with exit code 2 and a way out", () => {
  test.each<[args: string[], message: string, hint: string]>([
    [["serv"], 'there is no command "serv"', 'did you mean "gatehouse serve"?'],
    [["dance"], 'there is no command "dance"', 'see "gatehouse --help"'],
    [["--listen", ":1"], "--listen comes after a command", 'see "gatehouse --help"'],
    [["serve", "--listne", ":1"], "serve has no flag --listne", "did you mean --listen?"],
    [["serve", "-p", "1"], "serve has no flag -p", 'see "gatehouse serve --help"'],
    [["serve", "--json"], "serve has no flag --json", 'see "gatehouse serve --help"'],
    [["serve", "now"], 'serve does not know what to do with "now"', 'see "gatehouse serve --help"'],
    [["serve", "--listen"], "--listen needs a value", 'see "gatehouse serve --help"'],
    [["config", "--listen", "--json"], "--listen needs a value", 'see "gatehouse config --help"'],
    [["config", "--json=yes"], "--json takes no value", 'see "gatehouse config --help"'],
    [["migrate", "--listen", ":1"], "migrate has no flag --listen", 'see "gatehouse migrate --help"'],
    [["projections"], "projections needs one of: verify, rebuild", 'see "gatehouse projections --help"'],
    [["projections", "fix"], 'verify, rebuild, not "fix"', 'see "gatehouse projections --help"'],
    [
      ["projections", "verify", "all"],
      'does not know what to do with "all"',
      'see "gatehouse projections --help"',
    ],
    [["serve", "--master-key", "hunter22"], "--master-key is not a flag", "give --master-key-file"],
    [["serve", "--admin-token=hunter22"], "--admin-token is not a flag", "set GATEHOUSE_ADMIN_TOKEN"],
  ])("gatehouse %j", (args, message, hint) => {
    const { status, stdout, stderr } = gatehouse(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
    expect(stderr).toMatch(/^gatehouse: .*\n {2}.*\n$/);
    expect(stderr).not.toContain("hunter22");
  });

  test.each(["serve", "config"])("%s with a wrong variable stops with one line and no stack", (command) => {
    const { status, stdout, stderr } = gatehouse([command], { GATEHOUSE_LISTEN: "8080" });
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^gatehouse: GATEHOUSE_LISTEN: "8080" is not allowed; give .*\n$/);
  });

  test("a missing master key says how to make one", () => {
    const { status, stderr } = gatehouse(["serve"], { GATEHOUSE_DATABASE_URL: "postgres://u:hunter22@db/x" });
    expect(status).toBe(2);
    expect(stderr).toContain("openssl rand -hex 32");
    expect(stderr).not.toContain("hunter22");
  });
});

describe("config", () => {
  test("prints what is in force, for people", () => {
    const { status, stdout } = gatehouse(["config", "--log-level", "debug"], { GATEHOUSE_LISTEN: ":1" });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^GATEHOUSE_LISTEN +:1 {2}\(environment\)$/m);
    expect(stdout).toMatch(/^GATEHOUSE_LOG_LEVEL +debug {2}\(--log-level\)$/m);
    expect(stdout).toMatch(/^GATEHOUSE_DATABASE_URL +unset: an embedded database/m);
  });

  test("prints it for machines", () => {
    const { stdout } = gatehouse(["config", "--json"], { GATEHOUSE_ADMIN_TOKEN: "hunter22".repeat(4) });
    const settings = JSON.parse(stdout);
    expect(settings.listen).toEqual({ value: "127.0.0.1:8080", source: "default" });
    expect(settings.adminToken).toEqual({ value: "(set, not shown)", source: "GATEHOUSE_ADMIN_TOKEN" });
    expect(settings.publicUrl).toEqual({ value: null, source: "default" });
  });

  test("a mistyped variable is a warning, not the end", () => {
    const { status, stderr } = gatehouse(["config"], { GATEHOUSE_LISTN: ":1", GATEHOUSE_FLUX: "1" });
    expect(status).toBe(0);
    expect(stderr).toBe(
      "gatehouse: GATEHOUSE_LISTN is not an option; did you mean GATEHOUSE_LISTEN?\n" +
        "gatehouse: GATEHOUSE_FLUX is not an option\n",
    );
  });
});

test("the server's heap is bounded the same way however it is started", async () => {
  const flags = ["--max-semi-space-size=32", "--heap-growing-percent=60"];
  const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");
  const [main, docker] = [await read("src/main.ts"), await read("Dockerfile")];
  expect(main.split("\n")[0]).toBe(`#!/usr/bin/env -S node ${flags.join(" ")}`);
  expect(packageJson.scripts.start).toBe(`node ${flags.join(" ")} src/main.ts serve`);
  const [, entry] = /^ENTRYPOINT (.+)$/m.exec(docker)!;
  expect(JSON.parse(entry!)).toEqual(["node", ...flags, "/app/src/main.ts"]);
});
