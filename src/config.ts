import { accessSync, constants, readFileSync } from "node:fs";
import { isIPv4, isIPv6 } from "node:net";
import { availableParallelism } from "node:os";
import { readSender, readSmtpUrl } from "./notify/smtp-url.ts";
import { isWebhookEndpoint } from "./notify/webhook.ts";

/** Where to listen. No host means every interface; port 0 means any free port. */
export type ListenAddress = { host: string | undefined; port: number };

export type Environment = Record<string, string | undefined>;
/** What the command line gave: flag names without the dashes (`public-url`). */
export type Flags = Record<string, string | undefined>;

/** A value that stops the start. The message is one line for the operator and never repeats a secret. */
export class ConfigError extends Error {
  /** What to type next, if there is such a thing. */
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = "ConfigError";
    this.hint = hint;
  }
}

type OptionEntry<T> = {
  /** Completes the sentence "give …". */
  allowed: string;
  meaning: string;
  /** In the same form as a given value; a function where it depends on the terminal. */
  fallback?: string | (() => string);
  /** What no value, or a computed one, amounts to. */
  fallbackMeaning?: string;
  /**
   * Never shown. `whole`: and no flag takes it, since every user of a machine can read command lines; there is
   * a `_FILE` variable and a `-file` flag instead. `password`: only the password inside the URL is secret.
   */
  secret?: "whole" | "password";
  /** @returns undefined if the text is not allowed */
  parse(text: string): T | undefined;
};

type Option<T> = OptionEntry<T> & { required: boolean };

// Two names for one shape: `Config` learns from the type whether a value is always there.
const option = <T>(
  entry: OptionEntry<T> & { fallback: string | (() => string) },
): Option<T> & { required: true } => ({
  ...entry,
  required: true,
});
const optional = <T>(
  entry: OptionEntry<T> & { fallbackMeaning: string },
): Option<T> & { required: false } => ({
  ...entry,
  required: false,
});

/**
 * Every option, once. `publicUrl` is `GATEHOUSE_PUBLIC_URL` in the environment and `--public-url` as a flag; the help
 * texts and docs/configuration.md are printed from here.
 */
const options = {
  listen: option({
    allowed: "host:port, [address]:port for IPv6, or :port for every interface; port 0 takes a free one",
    fallback: "127.0.0.1:8080",
    meaning: "Address and port to serve on. HTTP/1.1 and HTTP/2 share the port.",
    parse: parseListen,
  }),
  publicUrl: optional({
    allowed: "an http or https URL without a path, such as https://auth.example.com",
    fallbackMeaning: "the address it listens on",
    meaning:
      "The URL clients reach the server by, for links and for documents that name the server. Identity providers send browsers back to /idps/callback there.",
    parse: parsePublicUrl,
  }),
  databaseUrl: optional({
    allowed: "postgres://user:password@host:5432/database",
    fallbackMeaning: "an embedded database in the data directory",
    meaning:
      "The PostgreSQL database (15 or newer) to use. Any number of servers may share one. Prefer the variable to the flag if there is a password in it: command lines are public on a machine.",
    secret: "password",
    parse: parseDatabaseUrl,
  }),
  databasePoolSize: option({
    allowed: "a whole number from 1 to 1000",
    fallback: "20",
    meaning:
      "PostgreSQL connections this server keeps at most, shared out among its workers; each may have one. The embedded database has one.",
    parse: wholeNumber(1, 1000),
  }),
  workers: optional({
    allowed: "a whole number from 1 to 64",
    fallbackMeaning: "one per core, up to four; one with the embedded database",
    meaning:
      "Processes that serve, behind one port. Where there is more than one, one process more watches over them. The embedded database has one.",
    parse: wholeNumber(1, 64),
  }),
  dataDir: option({
    allowed: "a path",
    fallback: "./data",
    meaning:
      "Directory of the embedded database, its master key and the administrator's first token. One server at a time may use it.",
    parse: (text) => text,
  }),
  masterKey: optional({
    allowed: "64 hexadecimal characters (32 bytes)",
    fallbackMeaning: "created once in the data directory; with PostgreSQL it must be given",
    meaning:
      "The key that signs session tokens and encrypts stored secrets. Every server on a database needs the same one, and what it protected cannot be read without it: keep a copy.",
    secret: "whole",
    parse: parseMasterKey,
  }),
  adminToken: optional({
    allowed: "32 to 512 visible ASCII characters without spaces",
    fallbackMeaning: "random, created once",
    meaning: "The first administrator's token, used when the database is created and never afterwards.",
    secret: "whole",
    parse: (text) => (/^[\x21-\x7e]{32,512}$/.test(text) ? text : undefined),
  }),
  tlsCertFile: optional({
    allowed: "the path of a readable file",
    fallbackMeaning: "no TLS",
    meaning: "The server's certificate chain in PEM form. Goes together with the key.",
    parse: readablePath,
  }),
  tlsKeyFile: optional({
    allowed: "the path of a readable file",
    fallbackMeaning: "no TLS",
    meaning: "The certificate's private key in PEM form. Goes together with the certificate.",
    parse: readablePath,
  }),
  corsOrigins: option({
    allowed: "* for every origin, none, or origins such as https://app.example.com separated by commas",
    fallback: "*",
    meaning: "Web origins whose scripts may call the API. With * the caller's origin is answered back.",
    parse: parseOrigins,
  }),
  logLevel: option({
    allowed: "trace, debug, info, warn, error, fatal or silent",
    fallback: "info",
    meaning: "The least severe message that is logged.",
    parse: oneOf("trace", "debug", "info", "warn", "error", "fatal", "silent"),
  }),
  logFormat: option({
    allowed: "json or pretty",
    fallback: () => (process.stdout.isTTY ? "pretty" : "json"),
    fallbackMeaning: "pretty on a terminal, otherwise json",
    meaning: "json: one object a line, for machines. pretty: for people.",
    parse: oneOf("json", "pretty"),
  }),
  maxBodyBytes: option({
    allowed: "bytes, a whole number from 1024 to 67108864",
    fallback: "1048576",
    meaning: "The largest request body that is read, before and after decompression.",
    parse: wholeNumber(1024, 67_108_864),
  }),
  edge: option({
    allowed: "fast or stock",
    fallback: "fast",
    meaning:
      "The way of ordinary calls to their implementation. fast: a short one of our own. stock: the one of the Connect library, which every other call takes anyway. Answers are the same, byte for byte; stock is there to rule the short way out when something is looked for.",
    parse: oneOf("fast", "stock"),
  }),
  shutdownGraceSeconds: option({
    allowed: "seconds, a whole number from 0 to 3600",
    fallback: "30",
    meaning: "How long open requests may take to finish after SIGTERM or SIGINT.",
    parse: wholeNumber(0, 3600),
  }),
  smtpUrl: optional({
    allowed:
      "smtp://user:password@host:587, or smtps:// for a server that is always encrypted; user and password may be left out",
    fallbackMeaning: "no mails are sent, unless a provider is activated through the API",
    meaning:
      "The mail server codes are sent through. smtps: encrypted, with a certificate that is checked. smtp: encrypted where the server offers it. A provider activated through the API comes first. Prefer the variable to the flag if there is a password in it.",
    secret: "password",
    parse: (text) => (readSmtpUrl(text) ? text : undefined),
  }),
  smtpFrom: optional({
    allowed: "an address, or a name and an address: Example <no-reply@example.com>",
    fallbackMeaning: "must be given with a mail server",
    meaning: "Who the mails come from. Goes together with the mail server.",
    parse: (text) => (readSender(text) ? text : undefined),
  }),
  smsWebhookUrl: optional({
    allowed: "an http or https URL",
    fallbackMeaning: "no text messages are sent, unless a provider is activated through the API",
    meaning:
      "Your service that turns text messages, posted to it as signed JSON, into SMS. A provider activated through the API comes first.",
    parse: (text) => (isWebhookEndpoint(text) ? text : undefined),
  }),
  smsWebhookSigningKey: optional({
    allowed: "16 to 512 visible ASCII characters without spaces",
    fallbackMeaning: "must be given with a webhook for text messages",
    meaning:
      "What the posted text messages are signed with, in the header ZITADEL-Signature; your service knows it too. Goes together with the webhook.",
    secret: "whole",
    parse: (text) => (/^[\x21-\x7e]{16,512}$/.test(text) ? text : undefined),
  }),
  insecureIdps: option({
    allowed: "true or false",
    fallback: "false",
    meaning:
      "Whether identity providers may be talked to over plain HTTP. On the machine itself they always may, for development.",
    parse: (text) => (text === "true" || text === "false" ? text === "true" : undefined),
  }),
  passwordRehash: option({
    allowed: "true or false",
    fallback: "true",
    meaning:
      "Whether a password whose hash was imported is hashed anew with Argon2id once it was right. With false the hash stays, so that the system it came from could take the user back.",
    parse: (text) => (text === "true" || text === "false" ? text === "true" : undefined),
  }),
  issuerName: option({
    allowed: "1 to 64 characters without a colon",
    fallback: "Gatehouse",
    meaning: "The name authenticator apps and passkey dialogs show for an account of this server.",
    // The colon is what parts issuer and account in the URI an app reads.
    parse: (text) => (/^[^:\p{C}]{1,64}$/u.test(text.trim()) ? text.trim() : undefined),
  }),
  webauthnCloneWarning: option({
    allowed: "refuse or record",
    fallback: "refuse",
    meaning:
      "What happens when the counter of a passkey or security key does not move on, as if there were a copy of it. It is recorded at the user; refuse: and the check fails.",
    parse: oneOf("refuse", "record"),
  }),
  setSessionProof: option({
    allowed: "none or token",
    fallback: "none",
    meaning:
      "What SetSession asks for beside the caller's permission. token: the session's current token too, so that a stolen credential and a session id are not enough.",
    parse: oneOf("none", "token"),
  }),
};

type Options = typeof options;
export type OptionName = keyof Options;

/** What the server is started with: one value for each option. `masterKey` has 32 bytes, `corsOrigins` is a list or `*`. */
export type Config = {
  readonly [Name in OptionName]: Options[Name] extends { required: true; parse(text: string): infer T }
    ? NonNullable<T>
    : ReturnType<Options[Name]["parse"]>;
};

/** What is of use together only. */
const pairs = [
  ["tlsCertFile", "tlsKeyFile"],
  ["smtpUrl", "smtpFrom"],
  ["smsWebhookUrl", "smsWebhookSigningKey"],
] as const satisfies [OptionName, OptionName][];

export const optionNames = Object.keys(options) as OptionName[];

/** How one option is documented; `flag` and `variable` are what a person types. */
export type OptionDescription = {
  name: OptionName;
  variable: string;
  /** Only for a secret: the variable that names a file instead. */
  fileVariable: string | undefined;
  flag: string;
  allowed: string;
  fallback: string | undefined;
  fallbackMeaning: string | undefined;
  meaning: string;
};

export function describeOption(name: OptionName): OptionDescription {
  const { allowed, meaning, fallback, fallbackMeaning, secret }: Option<unknown> = options[name];
  const variable = variableOf(name);
  return {
    name,
    variable,
    fileVariable: secret === "whole" ? `${variable}_FILE` : undefined,
    flag: `--${flagOf(name)}`,
    allowed,
    fallback: typeof fallback === "string" ? fallback : undefined,
    fallbackMeaning,
    meaning,
  };
}

/**
 * Reads every option: a flag before its variable, a variable before the default. An empty variable counts as unset,
 * which is what container files that pass `NAME=` through mean by it.
 * @param flags   from the command line; a name that is no option is ignored here, the command has refused it
 * @param serving false for commands that need no master key (`migrate`, `projections`)
 * @throws ConfigError naming the option, what was given (never a secret) and what is allowed
 */
export function loadConfig(env: Environment, flags: Flags = {}, { serving = true } = {}): Config {
  const config = Object.fromEntries(
    optionNames.map((name) => [name, parseSetting(name, env, flags)]),
  ) as Config;
  for (const [one, other] of pairs) {
    if ((config[one] === undefined) === (config[other] === undefined)) continue;
    const [given, missing] = config[one] === undefined ? [other, one] : [one, other];
    throw new ConfigError(
      `${variableOf(given)} is set and ${variableOf(missing)} is not: give both or neither`,
    );
  }
  if (serving && config.databaseUrl !== undefined && config.masterKey === undefined) {
    throw new ConfigError(
      `${variableOf("masterKey")} is not set: with a PostgreSQL database, give ${options.masterKey.allowed}`,
      `make one with "openssl rand -hex 32" and keep it as safe as the database`,
    );
  }
  if (serving && config.databaseUrl === undefined && (config.workers ?? 1) > 1) {
    throw new ConfigError(
      `${findSetting("workers", env, flags)!.source}: ${config.workers} workers need a PostgreSQL database; the embedded one has one process`,
      `set ${variableOf("databaseUrl")}, or leave the number of workers out`,
    );
  }
  return config;
}

/** More workers than this only by configuration: the database then is what holds them up. */
const MOST_WORKERS_BY_ITSELF = 4;

/** How many processes are to serve. */
export function workersOf({ workers, databaseUrl }: Pick<Config, "workers" | "databaseUrl">): number {
  if (workers !== undefined) return workers;
  return databaseUrl === undefined ? 1 : Math.min(availableParallelism(), MOST_WORKERS_BY_ITSELF);
}

/** One option as it is in force: the value fit for showing (a secret is not), and where it came from. */
export type EffectiveSetting = OptionDescription & { value: string | undefined; source: string };

/**
 * What `loadConfig` would read, for people.
 * @throws ConfigError like `loadConfig`
 */
export function effectiveSettings(env: Environment, flags: Flags = {}): EffectiveSetting[] {
  loadConfig(env, flags);
  return optionNames.map((name) => {
    const setting = findSetting(name, env, flags);
    const text = setting?.text ?? fallbackOf(name);
    return {
      ...describeOption(name),
      value: text === undefined ? undefined : shown(name, text),
      source: setting?.source ?? "default",
    };
  });
}

/**
 * Variables that look like ours and are not, each with the name that was probably meant.
 *
 * Kubernetes sets GATEHOUSE_SERVICE_HOST, GATEHOUSE_PORT and the like in every pod beside a service of that name;
 * those are nobody's mistake.
 */
export function unknownVariables(env: Environment): { variable: string; nearest: string | undefined }[] {
  const known = optionNames.flatMap((name) => {
    const { variable, fileVariable } = describeOption(name);
    return fileVariable ? [variable, fileVariable] : [variable];
  });
  return Object.keys(env)
    .filter((variable) => variable.startsWith("GATEHOUSE_") && !known.includes(variable))
    .filter((variable) => !/^GATEHOUSE_(SERVICE_(HOST|PORT)|PORT)(_|$)/.test(variable))
    .map((variable) => ({ variable, nearest: nearestVariable(variable, known) }));
}

// Without the prefix, which all have in common and which would make any two look alike.
const nearestVariable = (variable: string, known: string[]): string | undefined => {
  const bare = (name: string) => name.slice("GATEHOUSE_".length);
  const nearest = nearestName(bare(variable), known.map(bare));
  return nearest && `GATEHOUSE_${nearest}`;
};

/**
 * The known name that a mistyped one most resembles (Levenshtein distance, at most a third of its letters).
 */
export function nearestName(typed: string, known: readonly string[]): string | undefined {
  const distance = (name: string): number => {
    let row = Array.from({ length: name.length + 1 }, (_, index) => index);
    for (let i = 1; i <= typed.length; i++) {
      const next = [i];
      for (let j = 1; j <= name.length; j++) {
        const replaced = row[j - 1]! + (typed[i - 1] === name[j - 1] ? 0 : 1);
        next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
      }
      row = next;
    }
    return row[name.length]!;
  };
  const ranked = known
    .map((name) => ({ name, distance: distance(name) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(1, Math.floor(best.name.length / 3)) ? best.name : undefined;
}

/**
 * A database URL fit for a log or a screen.
 * @param databaseUrl one that `loadConfig` let pass
 */
export function withoutPassword(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  if (url.password !== "") url.password = "***";
  if (url.searchParams.has("password")) url.searchParams.set("password", "***");
  return url.href;
}

type Setting = {
  text: string;
  /** The variable or flag as typed. */
  source: string;
  /** The file it was read from. */
  path?: string;
};

const separated = (name: string, separator: string): string =>
  name.replace(/[A-Z]/g, (letter) => `${separator}${letter}`);
const variableOf = (name: OptionName): string => `GATEHOUSE_${separated(name, "_").toUpperCase()}`;
const isSecret = (name: OptionName): boolean => (options[name] as Option<unknown>).secret === "whole";
const flagOf = (name: OptionName): string =>
  `${separated(name, "-").toLowerCase()}${isSecret(name) ? "-file" : ""}`;

function parseSetting(name: OptionName, env: Environment, flags: Flags): unknown {
  const setting = findSetting(name, env, flags);
  const text = setting?.text ?? fallbackOf(name);
  if (text === undefined) return undefined;
  const { parse, allowed, secret }: Option<unknown> = options[name];
  const value = text === "" ? undefined : parse(text);
  if (value !== undefined) return value;
  const given = setting?.path
    ? `the content of ${quoted(setting.path)}`
    : secret
      ? `the given value (${text.length} characters, not shown)`
      : quoted(text);
  throw new ConfigError(`${setting?.source}: ${given} is not allowed; give ${allowed}`);
}

function findSetting(name: OptionName, env: Environment, flags: Flags): Setting | undefined {
  const { variable, fileVariable, flag } = describeOption(name);
  const flagText = flags[flagOf(name)];
  if (flagText !== undefined) {
    return fileVariable ? readSecret(flag, flagText) : { text: flagText, source: flag };
  }
  const text = env[variable] || undefined;
  const path = (fileVariable && env[fileVariable]) || undefined;
  if (text !== undefined && path !== undefined) {
    throw new ConfigError(`${variable} and ${fileVariable} are both set: give one of them`);
  }
  if (path !== undefined) return readSecret(fileVariable!, path);
  return text === undefined ? undefined : { text, source: variable };
}

function readSecret(source: string, path: string): Setting {
  try {
    // Editors and `echo` end a file with a line break, which is no part of the secret.
    return { text: readFileSync(path, "utf8").trim(), source, path };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(
      `${source}: ${quoted(path)} cannot be read (${code}); give the path of a readable file`,
    );
  }
}

function fallbackOf(name: OptionName): string | undefined {
  const { fallback }: Option<unknown> = options[name];
  return typeof fallback === "function" ? fallback() : fallback;
}

function shown(name: OptionName, text: string): string {
  const { secret }: Option<unknown> = options[name];
  if (secret === "whole") return "(set, not shown)";
  return secret === "password" ? withoutPassword(text) : text;
}

// One line and not too long, whatever was given.
const quoted = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);

function parseListen(text: string): ListenAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  if (match === null || Number(match[3]) > 65_535) return undefined;
  const [, address, name] = match;
  const port = Number(match[3]);
  if (address !== undefined) return isIPv6(address) ? { host: address, port } : undefined;
  if (name === undefined || name === "") return { host: undefined, port };
  const isName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(name) && !/^[\d.]+$/.test(name);
  return isName || isIPv4(name) ? { host: name, port } : undefined;
}

function parsePublicUrl(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
  return url.href === `${url.origin}/` ? url.origin : undefined;
}

function parseDatabaseUrl(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol) || url.pathname.length < 2) return undefined;
  // A directory of sockets is given as ?host=/var/run/postgresql.
  return url.hostname !== "" || url.searchParams.has("host") ? text : undefined;
}

function parseMasterKey(text: string): Uint8Array | undefined {
  return /^[0-9a-f]{64}$/i.test(text) ? new Uint8Array(Buffer.from(text, "hex")) : undefined;
}

function parseOrigins(text: string): "*" | readonly string[] | undefined {
  if (text === "*") return "*";
  if (text === "none") return [];
  const origins = text.split(",").map((origin) => parseOrigin(origin.trim()));
  return origins.every((origin) => origin !== undefined) ? origins : undefined;
}

// Apps in a web view have schemes of their own (capacitor://localhost), for which URL knows no origin.
// URL takes a star for part of a host name; a browser's origin never has one.
const parseOrigin = (text: string): string | undefined =>
  text.includes("*")
    ? undefined
    : /^https?:/i.test(text)
      ? parsePublicUrl(text)
      : /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/.exec(text)?.[0];

function readablePath(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK);
    return path;
  } catch {
    return undefined;
  }
}

function wholeNumber(least: number, most: number) {
  return (text: string): number | undefined => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most ? value : undefined;
  };
}

function oneOf<const T extends string>(...values: T[]) {
  return (text: string): T | undefined => values.find((value) => value === text);
}
