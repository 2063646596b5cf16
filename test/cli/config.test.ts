import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configMarkdown } from "../../src/cli/config-markdown.ts";
import type { OptionName } from "../../src/config.ts";
import {
  ConfigError,
  describeOption,
  effectiveSettings,
  loadConfig,
  nearestName,
  optionNames,
  unknownVariables,
  withoutPassword,
  workersOf,
} from "../../src/config.ts";

const hexKey = "00ff".repeat(16);
const longToken = "t0ken-".repeat(6);
let directory: string;
const inDirectory = (name: string) => join(directory, name);

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "gatehouse-config-"));
  writeFileSync(inDirectory("file"), "anything");
});
afterAll(() => rmSync(directory, { recursive: true }));

const refusal = (attempt: () => unknown): ConfigError => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
};

const accepted: Record<
  Exclude<OptionName, "masterKey" | "tlsCertFile" | "tlsKeyFile">,
  [string, unknown][]
> = {
  listen: [
    ["127.0.0.1:8080", { host: "127.0.0.1", port: 8080 }],
    ["localhost:0", { host: "localhost", port: 0 }],
    ["gatehouse.internal:65535", { host: "gatehouse.internal", port: 65_535 }],
    [":8080", { host: undefined, port: 8080 }],
    ["[::]:8080", { host: "::", port: 8080 }],
    ["[fe80::1]:443", { host: "fe80::1", port: 443 }],
  ],
  publicUrl: [
    ["https://auth.example.com", "https://auth.example.com"],
    ["https://auth.example.com/", "https://auth.example.com"],
    ["http://localhost:8080", "http://localhost:8080"],
    ["https://auth.example.com:443", "https://auth.example.com"],
  ],
  databaseUrl: [
    ["postgres://u:p@db:5432/gatehouse", "postgres://u:p@db:5432/gatehouse"],
    ["postgresql://db/gatehouse?sslmode=require", "postgresql://db/gatehouse?sslmode=require"],
    ["postgres:///gatehouse?host=/var/run/postgresql", "postgres:///gatehouse?host=/var/run/postgresql"],
  ],
  databasePoolSize: [
    ["1", 1],
    ["1000", 1000],
  ],
  workers: [
    ["1", 1],
    ["64", 64],
  ],
  dataDir: [
    ["/var/lib/gatehouse", "/var/lib/gatehouse"],
    ["my data", "my data"],
  ],
  adminToken: [
    [longToken, longToken],
    ["!".repeat(512), "!".repeat(512)],
  ],
  corsOrigins: [
    ["*", "*"],
    ["none", []],
    ["https://a.example", ["https://a.example"]],
    ["https://a.example/, http://localhost:3000", ["https://a.example", "http://localhost:3000"]],
    ["capacitor://localhost", ["capacitor://localhost"]],
  ],
  logLevel: ["trace", "debug", "info", "warn", "error", "fatal", "silent"].map((level) => [level, level]),
  logFormat: [
    ["json", "json"],
    ["pretty", "pretty"],
  ],
  maxBodyBytes: [
    ["1024", 1024],
    ["67108864", 67_108_864],
  ],
  edge: [
    ["fast", "fast"],
    ["stock", "stock"],
  ],
  shutdownGraceSeconds: [
    ["0", 0],
    ["3600", 3600],
  ],
  smtpUrl: [
    ["smtp://mail.example.com:25", "smtp://mail.example.com:25"],
    ["smtps://us%40example.com:p%3Ass@mail.example.com", "smtps://us%40example.com:p%3Ass@mail.example.com"],
  ],
  smtpFrom: [
    ["no-reply@example.com", "no-reply@example.com"],
    ["The Gate <no-reply@example.com>", "The Gate <no-reply@example.com>"],
  ],
  smsWebhookUrl: [["https://sms.example.com/send?via=us", "https://sms.example.com/send?via=us"]],
  smsWebhookSigningKey: [["k".repeat(16), "k".repeat(16)]],
  insecureIdps: [
    ["true", true],
    ["false", false],
  ],
  passwordRehash: [
    ["true", true],
    ["false", false],
  ],
  issuerName: [
    ["Acme Corp.", "Acme Corp."],
    [" Straße 7 ", "Straße 7"],
    ["x".repeat(64), "x".repeat(64)],
  ],
  webauthnCloneWarning: [
    ["refuse", "refuse"],
    ["record", "record"],
  ],
  setSessionProof: [
    ["none", "none"],
    ["token", "token"],
  ],
};

const refused: Record<OptionName, string[]> = {
  listen: [
    "8080",
    "localhost",
    "localhost:",
    "localhost:65536",
    "localhost:-1",
    "localhost:http",
    "::1:8080",
    "[127.0.0.1]:80",
    "[::1]",
    "999.0.0.1:80",
    "1.2.3:80",
    "*:8080",
    "http://localhost:8080",
    "local host:80",
    " :8080",
    ":8080\n",
  ],
  publicUrl: [
    "auth.example.com",
    "ftp://auth.example.com",
    "https://auth.example.com/path",
    "https://auth.example.com?x",
    "https://user@auth.example.com",
    "https://",
  ],
  databaseUrl: [
    "localhost:5432",
    "mysql://u:hunter22@db/gatehouse",
    "postgres://u:hunter22@db",
    "postgres://u:hunter22@db/",
    "postgres:///gatehouse",
    "hunter22",
  ],
  databasePoolSize: ["0", "1001", "-1", "1.5", "ten", "1e2", "0x10", " 5"],
  workers: ["0", "65", "-1", "1.5", "two", "auto"],
  dataDir: [],
  masterKey: [
    "hunter22",
    hexKey.slice(1),
    `${hexKey}0`,
    hexKey.replace("f", "g"),
    `hunter22${hexKey.slice(8)}`,
  ],
  adminToken: [
    "hunter22",
    "hunter22".repeat(3),
    `hunter22 ${longToken}`,
    `hunter22\u00e9${longToken}`,
    "x".repeat(513),
  ],
  tlsCertFile: ["/no/such/file"],
  tlsKeyFile: ["/no/such/file"],
  corsOrigins: [
    "a.example",
    "https://a.example/path",
    "https://a.example,",
    "https://a.example,*",
    "none,https://a.example",
    "https://*.example",
    "null",
  ],
  logLevel: ["INFO", "verbose", "3"],
  logFormat: ["text", "JSON"],
  maxBodyBytes: ["1023", "67108865", "1MiB", "-5"],
  edge: ["slow", "Fast", "true"],
  shutdownGraceSeconds: ["3601", "30s", "-1"],
  smtpUrl: ["mail.example.com:25", "http://mail.example.com", "smtp://user@mail.example.com", "smtp://"],
  smtpFrom: ["The Gate", "no-reply@", "a@b.example <x"],
  smsWebhookUrl: ["sms.example.com", "ftp://sms.example.com", "https://u:p@sms.example.com"],
  smsWebhookSigningKey: ["k".repeat(15), "k".repeat(513), "with a space in between"],
  insecureIdps: ["True", "yes", "1", "constructor"],
  passwordRehash: ["False", "no", "0", "constructor"],
  issuerName: ["   ", "a:b", "line\nbreak", "x".repeat(65)],
  webauthnCloneWarning: ["ignore", "Refuse", "true"],
  setSessionProof: ["Token", "yes", "true"],
};

describe("values", () => {
  const goodValues = Object.entries(accepted).flatMap(([name, rows]) =>
    rows.map(([text, value]) => [name as OptionName, text, value] as const),
  );

  test.each(goodValues)("%s takes %j", (name, text, value) => {
    const { variable, flag, fileVariable } = describeOption(name);
    const others = companions[name] ?? {};
    expect(loadConfig({ ...others, [variable]: text }, {}, { serving: false })[name]).toEqual(value);
    if (!fileVariable) {
      expect(loadConfig(others, { [flag.slice(2)]: text }, { serving: false })[name]).toEqual(value);
    }
  });

  /** What an option is of no use without. */
  const companions: { [name in OptionName]?: Record<string, string> } = {
    smtpUrl: { GATEHOUSE_SMTP_FROM: "a@b.example" },
    smtpFrom: { GATEHOUSE_SMTP_URL: "smtp://mail.example.com" },
    smsWebhookUrl: { GATEHOUSE_SMS_WEBHOOK_SIGNING_KEY: "k".repeat(16) },
    smsWebhookSigningKey: { GATEHOUSE_SMS_WEBHOOK_URL: "https://sms.example.com" },
  };

  const badValues = optionNames.flatMap((name) => refused[name].map((text) => [name, text] as const));

  test.each(badValues)("%s refuses %j in one line that says what is allowed", (name, text) => {
    const { variable, allowed } = describeOption(name);
    const { message } = refusal(() => loadConfig({ [variable]: text }));
    expect(message).toMatch(new RegExp(`^${variable}: `));
    expect(message).toContain(allowed);
    expect(message).not.toContain("\n");
    expect(message).not.toContain("hunter22");
    if (!["databaseUrl", "masterKey", "adminToken", "smtpUrl", "smsWebhookSigningKey"].includes(name))
      expect(message).toContain(JSON.stringify(text));
  });

  test("a refused flag is named as it was typed", () => {
    expect(refusal(() => loadConfig({ GATEHOUSE_LISTEN: ":1" }, { listen: "x" })).message).toMatch(
      /^--listen: "x" /,
    );
    expect(refusal(() => loadConfig({}, { listen: "" })).message).toMatch(/^--listen: "" /);
  });

  test("an endless value is cut short", () => {
    expect(refusal(() => loadConfig({ GATEHOUSE_LISTEN: "x".repeat(10_000) })).message.length).toBeLessThan(
      300,
    );
  });
});

describe("loadConfig", () => {
  test("needs nothing at all", () => {
    expect(loadConfig({})).toEqual({
      listen: { host: "127.0.0.1", port: 8080 },
      publicUrl: undefined,
      databaseUrl: undefined,
      databasePoolSize: 20,
      workers: undefined,
      dataDir: "./data",
      masterKey: undefined,
      adminToken: undefined,
      tlsCertFile: undefined,
      tlsKeyFile: undefined,
      corsOrigins: "*",
      logLevel: "info",
      logFormat: process.stdout.isTTY ? "pretty" : "json",
      maxBodyBytes: 1_048_576,
      edge: "fast",
      shutdownGraceSeconds: 30,
      smtpUrl: undefined,
      smtpFrom: undefined,
      smsWebhookUrl: undefined,
      smsWebhookSigningKey: undefined,
      insecureIdps: false,
      passwordRehash: true,
      issuerName: "Gatehouse",
      webauthnCloneWarning: "refuse",
      setSessionProof: "none",
    });
  });

  test("takes a number of workers with PostgreSQL only", () => {
    const database = {
      GATEHOUSE_DATABASE_URL: "postgres://u:p@db:5432/gatehouse",
      GATEHOUSE_MASTER_KEY: hexKey,
    };
    const env = { GATEHOUSE_WORKERS: "2" };
    expect(refusal(() => loadConfig(env))).toMatchObject({
      message: "GATEHOUSE_WORKERS: 2 workers need a PostgreSQL database; the embedded one has one process",
      hint: "set GATEHOUSE_DATABASE_URL, or leave the number of workers out",
    });
    expect(refusal(() => loadConfig({}, { workers: "3" })).message).toMatch(/^--workers: 3 /);
    // The other commands are one process whatever the server is.
    expect(loadConfig(env, {}, { serving: false }).workers).toBe(2);
    expect(workersOf(loadConfig({ ...database, ...env }))).toBe(2);
    expect(workersOf(loadConfig({ GATEHOUSE_WORKERS: "1" }))).toBe(1);
    expect(workersOf(loadConfig({}))).toBe(1);
    expect(workersOf(loadConfig(database))).toBe(Math.min(4, availableParallelism()));
  });

  test("takes a flag before a variable, and an empty variable for none", () => {
    const env = { GATEHOUSE_LISTEN: ":1", GATEHOUSE_LOG_LEVEL: "", GATEHOUSE_MASTER_KEY: "" };
    const config = loadConfig(env, { listen: ":2" });
    expect(config.listen.port).toBe(2);
    expect(config.logLevel).toBe("info");
    expect(config.masterKey).toBeUndefined();
  });

  test("reads the master key as 32 bytes, in either case", () => {
    const bytes = new Uint8Array(Buffer.from(hexKey, "hex"));
    expect(loadConfig({ GATEHOUSE_MASTER_KEY: hexKey }).masterKey).toEqual(bytes);
    expect(loadConfig({ GATEHOUSE_MASTER_KEY: hexKey.toUpperCase() }).masterKey).toEqual(bytes);
  });

  test("reads secrets from files, without the line break at their end", () => {
    writeFileSync(inDirectory("key"), `${hexKey}\n`);
    writeFileSync(inDirectory("token"), `${longToken}\r\n`);
    const fromVariables = loadConfig({
      GATEHOUSE_MASTER_KEY_FILE: inDirectory("key"),
      GATEHOUSE_ADMIN_TOKEN_FILE: inDirectory("token"),
    });
    const fromFlags = loadConfig(
      { GATEHOUSE_ADMIN_TOKEN: "x".repeat(40) },
      { "master-key-file": inDirectory("key"), "admin-token-file": inDirectory("token") },
    );
    for (const config of [fromVariables, fromFlags]) {
      expect(config.masterKey).toEqual(new Uint8Array(Buffer.from(hexKey, "hex")));
      expect(config.adminToken).toBe(longToken);
    }
  });

  test("a secret file that is missing, empty or wrong is named, its content is not", () => {
    writeFileSync(inDirectory("empty"), "\n");
    writeFileSync(inDirectory("wrong"), "hunter22");
    const messages = ["missing", "empty", "wrong"].map(
      (name) => refusal(() => loadConfig({ GATEHOUSE_MASTER_KEY_FILE: inDirectory(name) })).message,
    );
    for (const message of messages) {
      expect(message).toMatch(/^GATEHOUSE_MASTER_KEY_FILE: .*gatehouse-config-/);
      expect(message).not.toContain("hunter22");
    }
    expect(messages[0]).toContain("cannot be read (ENOENT)");
    expect(messages[1]).toContain("the content of");
  });

  test("a secret and its file at once are refused", () => {
    const env = { GATEHOUSE_ADMIN_TOKEN: longToken, GATEHOUSE_ADMIN_TOKEN_FILE: inDirectory("token") };
    expect(refusal(() => loadConfig(env)).message).toBe(
      "GATEHOUSE_ADMIN_TOKEN and GATEHOUSE_ADMIN_TOKEN_FILE are both set: give one of them",
    );
  });

  test("a certificate needs its key, and a key its certificate", () => {
    const cert = { GATEHOUSE_TLS_CERT_FILE: inDirectory("file") };
    const key = { GATEHOUSE_TLS_KEY_FILE: inDirectory("file") };
    expect(refusal(() => loadConfig(cert)).message).toContain("GATEHOUSE_TLS_KEY_FILE is not");
    expect(refusal(() => loadConfig(key)).message).toContain("GATEHOUSE_TLS_CERT_FILE is not");
    expect(loadConfig({ ...cert, ...key }).tlsCertFile).toBe(inDirectory("file"));
  });

  test.each([
    [{ GATEHOUSE_SMTP_URL: "smtp://u:hunter22@mail.example.com" }, "GATEHOUSE_SMTP_FROM"],
    [{ GATEHOUSE_SMTP_FROM: "a@b.example" }, "GATEHOUSE_SMTP_URL"],
    [{ GATEHOUSE_SMS_WEBHOOK_URL: "https://sms.example.com" }, "GATEHOUSE_SMS_WEBHOOK_SIGNING_KEY"],
    [{ GATEHOUSE_SMS_WEBHOOK_SIGNING_KEY: "hunter22-hunter22" }, "GATEHOUSE_SMS_WEBHOOK_URL"],
  ])("%j needs %s", (env, missing) => {
    const { message } = refusal(() => loadConfig(env));
    expect(message).toContain(`${missing} is not: give both or neither`);
    expect(message).not.toContain("hunter22");
  });

  test("a certificate that cannot be read is refused", () => {
    const env = {
      GATEHOUSE_TLS_CERT_FILE: inDirectory("file/below"),
      GATEHOUSE_TLS_KEY_FILE: inDirectory("file"),
    };
    expect(refusal(() => loadConfig(env)).message).toContain("readable file");
  });

  test("serving from PostgreSQL needs the master key; migrating does not", () => {
    const env = { GATEHOUSE_DATABASE_URL: "postgres://u:hunter22@db/gatehouse" };
    const error = refusal(() => loadConfig(env));
    expect(error.message).toMatch(/^GATEHOUSE_MASTER_KEY is not set: .*64 hexadecimal characters/);
    expect(error.message).not.toContain("hunter22");
    expect(error.hint).toContain("openssl rand -hex 32");
    expect(loadConfig(env, {}, { serving: false }).databaseUrl).toBe(env.GATEHOUSE_DATABASE_URL);
    expect(loadConfig({ ...env, GATEHOUSE_MASTER_KEY: hexKey }).masterKey).toHaveLength(32);
  });
});

describe("what people see", () => {
  test("settings in force carry their source and no secret", () => {
    const env = {
      GATEHOUSE_DATABASE_URL: "postgres://u:hunter22@db/gatehouse",
      GATEHOUSE_MASTER_KEY: hexKey,
      GATEHOUSE_ADMIN_TOKEN: longToken,
    };
    const settings = effectiveSettings(env, { "log-level": "debug" });
    const found = Object.fromEntries(settings.map(({ name, value, source }) => [name, [value, source]]));
    expect(found.logLevel).toEqual(["debug", "--log-level"]);
    expect(found.listen).toEqual(["127.0.0.1:8080", "default"]);
    expect(found.masterKey).toEqual(["(set, not shown)", "GATEHOUSE_MASTER_KEY"]);
    expect(found.databaseUrl).toEqual(["postgres://u:***@db/gatehouse", "GATEHOUSE_DATABASE_URL"]);
    const everything = JSON.stringify(settings);
    for (const secret of ["hunter22", hexKey, longToken]) expect(everything).not.toContain(secret);
  });

  test.each([
    ["postgres://u:hunter22@db/x", "postgres://u:***@db/x"],
    ["postgres://u@db/x?password=hunter22", "postgres://u@db/x?password=***"],
    ["postgres://db/x", "postgres://db/x"],
  ])("the password is taken out of %s", (url, expected) => {
    expect(withoutPassword(url)).toBe(expected);
  });

  test("a mistyped variable is reported with the name that was meant", () => {
    const env = { GATEHOUSE_LISTN: ":1", GATEHOUSE_MASTERKEY_FILE: "x", GATEHOUSE_FLUX: "1", LISTEN: "1" };
    expect(unknownVariables(env)).toEqual([
      { variable: "GATEHOUSE_LISTN", nearest: "GATEHOUSE_LISTEN" },
      { variable: "GATEHOUSE_MASTERKEY_FILE", nearest: "GATEHOUSE_MASTER_KEY_FILE" },
      { variable: "GATEHOUSE_FLUX", nearest: undefined },
    ]);
  });

  test("what Kubernetes sets beside a service of our name is no mistake", () => {
    const env = {
      GATEHOUSE_SERVICE_HOST: "10.0.0.1",
      GATEHOUSE_SERVICE_PORT: "80",
      GATEHOUSE_SERVICE_PORT_HTTP: "80",
      GATEHOUSE_PORT: "tcp://10.0.0.1:80",
      GATEHOUSE_PORT_80_TCP_ADDR: "10.0.0.1",
    };
    expect(unknownVariables(env)).toEqual([]);
    expect(unknownVariables({ GATEHOUSE_LISTEN: ":1", GATEHOUSE_ADMIN_TOKEN_FILE: "x" })).toEqual([]);
  });

  test("the nearest name is near", () => {
    expect(nearestName("lisen", ["listen", "log-level"])).toBe("listen");
    expect(nearestName("xyz", ["listen", "log-level"])).toBeUndefined();
    expect(nearestName("", [])).toBeUndefined();
  });

  test("docs/configuration.md is what the table prints", () => {
    const page = readFileSync(new URL("../../docs/configuration.md", import.meta.url), "utf8");
    expect(page, "run: node src/main.ts config --markdown > docs/configuration.md").toBe(configMarkdown());
    for (const name of optionNames) expect(page).toContain(describeOption(name).variable);
  });
});
