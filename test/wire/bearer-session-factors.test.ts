import { Code } from "@connectrpc/connect";
import { createServerTransport } from "@zitadel/client/node";
import { createUserServiceClient } from "@zitadel/client/v2";
import { Secret, TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashPassword } from "../../src/crypto/password-hash.ts";
import { projections } from "../../src/projections/projections.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { sessionAggregate } from "../../src/session/session.ts";
import { change } from "../../src/storage/aggregate.ts";
import type { OpenDatabase } from "../../src/storage/database.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { SessionRepository } from "../../src/storage/session-repository.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { type Refusal, refusalOf, refused } from "../support/clients.ts";
import { engines } from "../support/databases.ts";
import { appendToUser, type House, PASSWORD, signIn, startHouse, userCheck } from "../support/fixtures.ts";
import { asking, person } from "./users/wire.ts";

const mfaRequired = refused(Code.PermissionDenied, "mfa required", "AUTHZ-Kl3p0");
const notProven = refused(Code.PermissionDenied, "authentication required", "AUTHZ-Kl3p0");

const checkedAt = new Date().toISOString();
const proofs = {
  totp: { type: "session.totp.checked", payload: { checkedAt } },
  passkey: { type: "session.webAuthN.checked", payload: { checkedAt, userVerified: true } },
  u2f: { type: "session.webAuthN.checked", payload: { checkedAt } },
  otpSms: { type: "session.otp.sms.checked", payload: { checkedAt } },
  otpEmail: { type: "session.otp.email.checked", payload: { checkedAt } },
  recoveryCode: { type: "session.recoveryCode.checked", payload: { checkedAt } },
  idp: { type: "session.intent.checked", payload: { checkedAt } },
} as const satisfies Record<string, SessionEvent>;
type Proof = "password" | keyof typeof proofs;

const registered = (kind: "passwordless" | "mfa.u2f"): UserEvent => ({
  type: `user.human.${kind}.token.added`,
  payload: {
    webAuthNTokenId: kind,
    challenge: "c",
    rpID: "localhost",
    expiresAt: checkedAt,
    registeredBy: "x",
  },
});
const verified = (kind: "passwordless" | "mfa.u2f"): UserEvent => ({
  type: `user.human.${kind}.token.verified`,
  payload: {
    webAuthNTokenId: kind,
    keyId: "k",
    publicKey: "p",
    attestationType: "none",
    aaguid: "",
    signCount: 0,
    webAuthNTokenName: "",
    transports: [],
    backupEligible: false,
    backedUp: false,
  },
});
const totpBegun: UserEvent = { type: "user.human.mfa.otp.added", payload: { otpSecret: "s" } };

/** What a user can have set up. */
const setUps = {
  nothing: [],
  "an authenticator app": [totpBegun, { type: "user.human.mfa.otp.verified", payload: {} }],
  "half an authenticator app": [totpBegun],
  "a security key": [registered("mfa.u2f"), verified("mfa.u2f")],
  "half a security key": [registered("mfa.u2f")],
  "a passkey": [registered("passwordless"), verified("passwordless")],
  "codes by SMS": [{ type: "user.human.mfa.otp.sms.added", payload: {} }],
  "codes by e-mail": [{ type: "user.human.mfa.otp.email.added", payload: {} }],
  "recovery codes": [{ type: "user.human.mfa.recoverycode.added", payload: { codes: ["d"] } }],
} satisfies Record<string, UserEvent[]>;
type SetUp = keyof typeof setUps;

/** Whether the token is good: on a fresh instance, with MFA forced, forced locally, and no second factor allowed. */
type Row = [SetUp, Proof[], fresh: boolean, forced: boolean, locally: boolean, noneAllowed: boolean];
const table: Row[] = [
  ["nothing", ["password"], true, false, false, true],
  ["nothing", ["idp"], true, false, true, true],
  ["nothing", ["passkey"], true, true, true, true],
  ["nothing", ["u2f"], true, false, false, true],
  ["nothing", ["recoveryCode"], true, false, false, true],
  ["nothing", ["password", "otpEmail"], true, true, true, true],
  ["an authenticator app", ["password"], false, false, false, true],
  ["an authenticator app", ["totp"], false, false, false, true],
  ["an authenticator app", ["idp"], false, false, false, true],
  ["an authenticator app", ["passkey"], true, true, true, true],
  ["an authenticator app", ["password", "totp"], true, true, true, true],
  ["an authenticator app", ["password", "recoveryCode"], true, true, true, true],
  ["an authenticator app", ["idp", "u2f"], true, true, true, true],
  ["half an authenticator app", ["password"], true, false, false, true],
  ["a security key", ["password"], false, false, false, true],
  ["a security key", ["password", "u2f"], true, true, true, true],
  ["half a security key", ["password"], true, false, false, true],
  ["a passkey", ["password"], true, false, false, true],
  ["codes by SMS", ["password"], false, false, false, true],
  ["codes by SMS", ["otpSms", "password"], true, true, true, true],
  ["codes by e-mail", ["password"], false, false, false, true],
  ["recovery codes", ["password"], true, false, false, true],
];

describe.each(engines)("a session token as credential of somebody on %s", (engine) => {
  let house: House;
  const tokens = new Map<Row, string>();
  let machineToken = "";
  let oldPassword = "";

  beforeAll(async () => {
    house = await startHouse(engine);
    const { cast } = house;
    const ask = asking(house, cast.owner);
    const login = house.as(cast.loginClient);
    const hash = hashPassword(PASSWORD);
    const newPerson = async (name: string) => {
      const human = person(name, { hashedPassword: { hash } });
      return { id: (await ask("CreateUser", { organizationId: cast.home.id, human })).id as string };
    };
    const histories: {
      user: { id: string };
      setUp: UserEvent[];
      sessionId: string;
      proven: SessionEvent[];
    }[] = [];
    const arrive = async (row: Row, index: number) => {
      const user = await newPerson(`person-${index}`);
      const [setUp, done] = row;
      const checks = done.includes("password") ? signIn(user) : userCheck(user);
      const { sessionId, sessionToken } = await login.createSession({ checks });
      tokens.set(row, sessionToken);
      const proven = done.filter((proof) => proof !== "password").map((proof) => proofs[proof]);
      histories.push({ user, setUp: setUps[setUp], sessionId, proven });
    };
    await Promise.all(table.map(arrive));
    const machine = await login.createSession({ checks: userCheck(cast.nobody) });
    machineToken = machine.sessionToken;
    histories.push({ user: cast.nobody, setUp: [], sessionId: machine.sessionId, proven: [proofs.totp] });
    const changed = await newPerson("changed");
    const { sessionId, sessionToken } = await login.createSession({ checks: signIn(changed) });
    oldPassword = sessionToken;
    histories.push({
      user: changed,
      setUp: [
        ...setUps["an authenticator app"],
        { type: "user.human.password.changed", payload: { encodedHash: "h", changeRequired: false } },
      ],
      sessionId,
      proven: [proofs.totp],
    });
    await house.operate(async (database) => {
      for (const { user, setUp, sessionId, proven } of histories) {
        if (setUp.length > 0) await appendToUser(database, user, ...setUp);
        await prove(database, sessionId, proven);
      }
    });
  });
  afterAll(() => house.close());

  const outcome = async (token: string): Promise<Refusal | "good"> => {
    const call = house.as({ token }).listSessions({});
    return call.then(
      () => "good" as const,
      () => refusalOf(call),
    );
  };

  const expectTable = async (column: 2 | 3 | 4 | 5) => {
    const seen = new Map<Row, Refusal | "good">();
    for (const row of table) seen.set(row, await outcome(tokens.get(row)!));
    for (const row of table)
      expect([row[0], row[1], seen.get(row)]).toEqual([row[0], row[1], row[column] ? "good" : mfaRequired]);
  };

  test("needs a second factor if one is set up, and not without", async () => {
    await expectTable(2);
  });

  test("does not count the password before the last", async () => {
    expect(await outcome(oldPassword)).toEqual(mfaRequired);
  });

  test("needs a second factor whatever is set up, where the settings force it", async () => {
    await changeLogin(house, { forceMfa: true });
    await expectTable(3);
    expect(await outcome(machineToken)).toBe("good");
  });

  test("needs one without an identity provider, where the settings force that", async () => {
    await changeLogin(house, { forceMfaLocalOnly: true });
    await expectTable(4);
    expect(await outcome(machineToken)).toBe("good");
  });

  test("needs none where the settings allow none", async () => {
    await changeLogin(house, {});
    await allowNoSecondFactor(house);
    await expectTable(5);
  });

  test("S-046: that proved the password only is refused once there is an authenticator app", async () => {
    const { cast } = house;
    const { id: userId } = cast.mia;
    const login = house.as(cast.loginClient);
    const { sessionId, sessionToken } = await login.createSession({ checks: signIn(cast.mia) });
    await allowEverySecondFactor(house);
    const asMia = createUserServiceClient(createServerTransport(sessionToken, { baseUrl: house.url }));
    const { secret } = await asMia.registerTOTP({ userId });
    await house.as({ token: sessionToken }).getSession({ sessionId });
    const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
    await asMia.verifyTOTPRegistration({ userId, code });
    expect(await refusalOf(house.as({ token: sessionToken }).getSession({ sessionId }))).toEqual(mfaRequired);
    const fresh = await login.createSession({ checks: signIn(cast.mia) });
    expect(await refusalOf(house.as({ token: fresh.sessionToken }).getSession({ sessionId }))).toEqual(
      mfaRequired,
    );
  });

  test("S-021, S-028: that proved a passkey sets up every other factor of its own", async () => {
    const { cast } = house;
    const { sessionId, sessionToken } = await house
      .as(cast.loginClient)
      .createSession({ checks: userCheck(cast.noah) });
    expect(await refusalOf(house.as({ token: sessionToken }).listSessions({}))).toEqual(notProven);
    await house.operate(async (database) => {
      await prove(database, sessionId, [proofs.passkey]);
      await appendToUser(
        database,
        cast.noah,
        { type: "user.human.email.verified", payload: {} },
        { type: "user.human.phone.changed", payload: { phone: "+41791234567" } },
        { type: "user.human.phone.verified", payload: {} },
      );
    });
    const userId = cast.noah.id;
    const noah = createUserServiceClient(createServerTransport(sessionToken, { baseUrl: house.url }));
    await noah.registerU2F({ userId, domain: "localhost" });
    const { secret } = await noah.registerTOTP({ userId });
    const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
    await noah.verifyTOTPRegistration({ userId, code });
    await noah.addOTPSMS({ userId });
    await noah.addOTPEmail({ userId });
    const { authMethodTypes } = await noah.listAuthenticationMethodTypes({ userId });
    expect(authMethodTypes).toHaveLength(4);
    const ask = asking(house, { token: sessionToken });
    const { result } = await ask("ListAuthenticationFactors", { userId });
    expect(result).toHaveLength(3);
  });
});

async function prove(
  { db }: OpenDatabase,
  sessionId: string,
  events: readonly SessionEvent[],
): Promise<void> {
  if (events.length === 0) return;
  const { session } = (await new SessionRepository(db).find(sessionId))!;
  await new EventRepository(db, projections).append([
    change(sessionAggregate, session, events, "the operator"),
  ]);
}

async function changeSettings(house: House, method: string, path: string, body: object = {}): Promise<void> {
  const answer = await fetch(`${house.url}/admin/v1/policies/login${path}`, {
    method,
    headers: { authorization: `Bearer ${house.cast.owner.token}`, "content-type": "application/json" },
    ...(method === "DELETE" ? {} : { body: JSON.stringify(body) }),
  });
  expect(await answer.json()).toEqual({ details: expect.anything() });
}

const changeLogin = (house: House, rules: { forceMfa?: boolean; forceMfaLocalOnly?: boolean }) =>
  changeSettings(house, "PUT", "", { allowUsernamePassword: true, allowExternalIdp: true, ...rules });

/** Numbers of `zitadel.policy.v1.SecondFactorType`: authenticator app, security key, codes by e-mail and SMS. */
const secondFactorTypes = [1, 2, 3, 4];

async function allowNoSecondFactor(house: House): Promise<void> {
  for (const type of secondFactorTypes) await changeSettings(house, "DELETE", `/second_factors/${type}`);
}

async function allowEverySecondFactor(house: House): Promise<void> {
  for (const type of secondFactorTypes) await changeSettings(house, "POST", "/second_factors", { type });
}
