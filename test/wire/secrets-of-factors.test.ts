import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Config } from "../../src/config.ts";
import type { OpenDatabase } from "../../src/storage/database.ts";
import { engines } from "../support/databases.ts";
import { dumpOf } from "../support/dump.ts";
import { walkContacts, walkOneTimeCodes, walkPasswords } from "./factor-walk/codes.ts";
import { configureDelivery, walkDelivery } from "./factor-walk/delivery.ts";
import { historiesOf } from "./factor-walk/histories.ts";
import { walkApps, walkWebAuthn } from "./factor-walk/keys-and-apps.ts";
import { sendMalformed } from "./factor-walk/malformed.ts";
import { failInside, putInOrder } from "./factor-walk/out-of-order.ts";
import { walkToProviders } from "./factor-walk/providers.ts";
import { walkServiceAccounts } from "./factor-walk/service-accounts.ts";
import { openStage, type Stage } from "./factor-walk/stage.ts";
import { protocolsOn } from "./protocols.ts";

/** Each protocol once: the database does not know by which a request came. */
const walked = engines.map((engine) => [engine, protocolsOn(engine)] as const);

/** One column of each table that holds digests, ciphertexts or addresses. */
const changedByHand: Record<string, string> = {
  users: "password_hash",
  sessions: "token_digest",
  personal_access_tokens: "digest",
  machine_keys: "public_key",
  identity_providers: "secret",
  idp_intents: "tokens",
  notifications: "recipient",
};

/** Some of what there must have been to hide, by its names. */
const hidden = [
  ...["a password", "a wrong password", "a password that is too weak", "a password where it does not belong"],
  ...["a code in a mail", "a code in a text message", "a reset code given back", "a wrong reset code"],
  ...["an e-mail code given back", "a phone code given back", "a wrong e-mail code", "a wrong phone code"],
  ...["an otpSms code given back", "an otpEmail code given back", "a one-time code almost right"],
  ...["the clientDataJSON of a credential", "the signature of a credential", "a passkey code given back"],
  ...["a seed", "the bytes of a seed", "what an app shows", "a wrong app code", "a recovery code"],
  ...["a line of a private key", "the bytes of a private key", "a client secret", "a personal access token"],
  ...["the claims of an assertion", "the signature of an assertion", "an access token", "a session token"],
  ...["the client's secret at the provider", "a code of the provider", "a code verifier", "an intent token"],
  ...["the accessToken of the provider", "the idToken of the provider", "the refreshToken of the provider"],
  ...["the cookie _session", "the mail server's password", "a token for the mail server", "a signing key"],
  ...["Twilio's token", "a code of Twilio's"],
];

describe.each(walked)("after a walk over every factor on %s, by %j", (engine, protocols) => {
  let stage: Stage;
  let metrics = "";
  let dump: string[] = [];
  let printed = "";
  let malformed = 0;
  let faults = 0;
  let histories: Awaited<ReturnType<typeof historiesOf>>;

  beforeAll(async () => {
    stage = await openStage(engine);
    const providers = await configureDelivery(stage);
    for (const protocol of protocols) {
      stage.protocol = protocol;
      await walkPasswords(stage);
      await walkContacts(stage);
      await walkOneTimeCodes(stage);
      await walkWebAuthn(stage);
      await walkApps(stage);
      await walkServiceAccounts(stage);
      await walkToProviders(stage);
    }
    await walkDelivery(stage, providers);
    malformed = await sendMalformed(stage);
    metrics = await (await fetch(`${stage.house.url}/debug/metrics`)).text();
    histories = await historiesOf(stage);
    faults = await failInside(stage);
    dump = await stage.house.operate(async (database) => {
      await putInOrder(database);
      const rows = await dumpOf(database);
      for (const [table, column] of Object.entries(changedByHand)) await changeRow(database, table, column);
      return rows;
    });
    // The second puts right what the first complains of.
    printed = await stage.house.operateOutside(async (place) =>
      ["verify", "rebuild"].map((action) => projections(place, action)).join("\n"),
    );
  });
  afterAll(() => stage.close());

  test("there was something to hide", () => {
    expect(stage.secrets.names).toEqual(expect.arrayContaining(hidden));
    expect(stage.secrets.names.length).toBeGreaterThan(400);
  });

  test("there were places to look for it", () => {
    const log = stage.lines.join("");
    for (const method of ["SetPassword", "VerifyTOTPRegistration", "RegisterPasskey", "AddKey", "SetSession"])
      expect(log).toContain(`Service/${method}`);
    expect(log).toContain("oauth/v2/token");
    expect(log).toContain("a walk to an identity provider has ended");
    for (const outcome of ["sent", "failed", "deferred"]) expect(log).toContain(`"outcome":"${outcome}"`);
    expect(log.split('"level":50').length - 1).toBeGreaterThanOrEqual(faults);
    expect(faults).toBeGreaterThan(10);
    expect(malformed).toBeGreaterThan(50);
    expect(stage.refusals.length).toBeGreaterThan(200);
    for (const table of [...Object.keys(changedByHand), "events", "instances", "idp_links"])
      expect(dump.filter((row) => row.startsWith(`${table}: `)).length, table).toBeGreaterThan(0);
    expect(metrics).toContain('gatehouse_notifications_total{kind="PasswordReset",channel="sms"');
    for (const [table, column] of Object.entries(changedByHand))
      expect(printed).toMatch(new RegExp(`^  ${table} \\S+: ${column}$`, "m"));
    expect(printed).toMatch(/^Rebuilt \d+ rows/m);
  });

  const places = {
    "the log": () => stage.lines,
    "the database": () => dump,
    "what was refused": () => stage.refusals,
    "what was read": () => stage.reads,
    "what the histories of sessions say": () => histories.texts,
    "the metrics": () => [metrics],
    "what the command line prints": () => [printed],
  };

  test.each(Object.entries(places))("there is no secret in %s", (_, texts) => {
    expect(stage.secrets.namesFoundIn(texts())).toEqual([]);
  });

  test("histories say what happened, and nothing that opens anything or helps to", () => {
    const told = ["webAuthN.challenged", "webAuthN.checked", "otp.sms.challenged", "otp.email.challenged"];
    for (const type of [...told, "token.set", "intent.checked", "totp.checked"])
      expect(histories.types).toContain(`session.${type}`);
    expect(histories.hidden.length).toBeGreaterThan(50);
    const text = histories.texts.join("\n");
    expect(histories.hidden.filter((value) => text.includes(value))).toEqual([]);
  });

  test("a leak of any of them would have been found", () => {
    expect(stage.secrets.namesFoundIn([...stage.lines, stage.secrets.leaked()])).toEqual(stage.secrets.names);
  });

  test("the log holds no hash, no digest, and nothing of a request's headers", () => {
    const log = stage.lines.join("");
    expect(log).not.toMatch(/\$argon2id\$|\$2[aby]\$/);
    expect(log).not.toMatch(/bearer|authorization/i);
    expect(log).not.toMatch(/token_?digest|encodedHash/i);
  });
});

const changeRow = ({ db }: OpenDatabase, table: string, column: string) =>
  sql`
    UPDATE ${sql.table(table)} SET ${sql.ref(column)} = 'by hand'
    WHERE id = (SELECT id FROM ${sql.table(table)} WHERE ${sql.ref(column)} IS NOT NULL LIMIT 1)`.execute(db);

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** What the command line says about the rows, to both of its outputs. */
function projections({ dataDir, databaseUrl }: Partial<Config>, action: string): string {
  const clean = Object.entries(process.env).filter(([name]) => !/^(GATEHOUSE_|NODE_|VITEST)/.test(name));
  const env = {
    ...Object.fromEntries(clean),
    GATEHOUSE_DATA_DIR: dataDir!,
    ...(databaseUrl === undefined ? {} : { GATEHOUSE_DATABASE_URL: databaseUrl }),
  };
  const { stdout, stderr } = spawnSync(process.execPath, [main, "projections", action], {
    env,
    encoding: "utf8",
  });
  return stdout + stderr;
}
