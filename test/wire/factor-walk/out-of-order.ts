import type { JsonObject } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { sql } from "kysely";
import { expect } from "vitest";
import type { OpenDatabase } from "../../../src/storage/database.ts";
import type { ServiceName } from "../settings/wire.ts";
import { assertionOf, JWT_BEARER, newServiceAccount } from "../token-endpoint/service-accounts.ts";
import { asking } from "../users/wire.ts";
import { type Caller, PUBLIC_URL, type Stage } from "./stage.ts";

/** What is taken away: where everything is written down, and what the token endpoint and the callback read first. */
const tables = ["events", "machine_keys", "idp_intents"];

export async function putInOrder({ db }: OpenDatabase): Promise<void> {
  for (const table of tables)
    await sql`ALTER TABLE ${sql.table(`${table}_gone`)} RENAME TO ${sql.table(table)}`.execute(db);
}

/**
 * Requests with secrets while the database is broken: an internal error is the one that is logged with its cause, and
 * the cause knows the statement and may know what it was given. Whoever calls this puts the database in order.
 * @returns how many there were
 */
export async function failInside(stage: Stage): Promise<number> {
  const { house, cast, guess, newPassword, secret, ask } = stage;
  const { userId, password } = await stage.newPerson();
  const admin = cast.owner;
  const { verificationCode } = await ask("user", admin, "PasswordReset", { userId, returnCode: {} });
  const code = secret("a reset code given back", verificationCode as string);
  const account = await newServiceAccount(asking(house, admin), cast.home.id);
  secret("a client secret", account.secret);

  await house.operate(async ({ db }) => {
    for (const table of tables)
      await sql`ALTER TABLE ${sql.table(table)} RENAME TO ${sql.table(`${table}_gone`)}`.execute(db);
  });
  const newPasswordWith = (verification: JsonObject) => ({
    userId,
    newPassword: { password: newPassword() },
    ...verification,
  });
  const twilio = { sid: "AC01", token: guess("Twilio token"), senderNumber: "+15005550006" };
  const calls: [ServiceName, Caller, string, JsonObject][] = [
    ["session", cast.loginClient, "CreateSession", { checks: { user: { userId }, password: { password } } }],
    ["user", cast.nobody, "SetPassword", newPasswordWith({ verificationCode: code })],
    ["user", admin, "SetPassword", newPasswordWith({ currentPassword: password })],
    ["user", admin, "PasswordReset", { userId, returnCode: {} }],
    ["user", admin, "RegisterTOTP", { userId }],
    ["user", admin, "GenerateRecoveryCodes", { userId, count: 3 }],
    ["user", admin, "AddSecret", { userId: account.userId }],
    ["admin", admin, "AddGoogleProvider", { clientId: "client", clientSecret: guess("client secret") }],
    ["admin", admin, "AddSMSProviderTwilio", twilio],
  ];
  for (const [service, caller, method, request] of calls) {
    const error = await ask(service, caller, method, request, "Connect").catch((reason) => reason);
    if (!(error instanceof ConnectError)) throw new Error(`${method} did what it could not do`);
    stage.refusals.push(`${error.message} ${JSON.stringify([...error.metadata])}`);
    expect(error.code, method).toBe(Code.Internal);
  }
  const assertion = secret("an assertion", await assertionOf(account, PUBLIC_URL));
  const form = new URLSearchParams({ grant_type: JWT_BEARER, assertion });
  const granted = await stage.send("/oauth/v2/token", { method: "POST", body: form });
  const back = await stage.send(`/idps/callback?state=${crypto.randomUUID()}&code=${guess("code")}`, {});
  expect([granted.status, back.status]).toEqual([500, 500]);
  return calls.length + 2;
}
