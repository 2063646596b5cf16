import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { type TOTP, URI } from "otpauth";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type House, startHouse, streamOf, userRow } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import {
  callerOf,
  expectDenied,
  kinds,
  length,
  mayGive,
  mayTake,
  newPerson,
  outOfBounds,
} from "./factor-callers.ts";
import { asking, type Call, details, refusal, unauthenticated } from "./wire.ts";

const ready = refused(Code.FailedPrecondition, "the authenticator app is set up already", "COMMAND-qx4ls");
const exists = refused(Code.AlreadyExists, "an authenticator app is set up already", "COMMAND-do9se");
const notRegistered = refused(Code.NotFound, "no authenticator app is being set up", "COMMAND-3Mif9s");
const notFound = refused(Code.NotFound, "there is no authenticator app", "COMMAND-Hd9sd");
const wrongCode = refused(Code.InvalidArgument, "code is invalid", "EVENT-8isk2");
const noSuchUser = refused(Code.FailedPrecondition, "user could not be found", "COMMAND-SqyJz");

type Registered = { details: JsonObject; uri: string; secret: string };

describe.each(engines)("authenticator apps on %s", (engine) => {
  let house: House;
  let ask: Call;
  const lines: string[] = [];
  beforeAll(async () => {
    const logger = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
    house = await startHouse(engine, { config: { issuerName: "Acme & Söhne" }, server: { logger } });
    ask = asking(house, house.cast.owner);
  });
  afterAll(() => house.close());

  const register = (userId: string, call: Call = ask) =>
    call("RegisterTOTP", { userId }) as Promise<Registered>;
  const verify = (userId: string, code: string, call: Call = ask) =>
    call("VerifyTOTPRegistration", { userId, code });
  const remove = (userId: string, call: Call = ask) => call("RemoveTOTP", { userId });
  /** The app a person would scan the QR code with. */
  const scanned = ({ uri }: { uri: string }): TOTP => URI.parse(uri) as TOTP;

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("are set up by scanning, proven by a first code, and removed", async () => {
      const call = asking(house, house.cast.loginClient, protocol);
      const userId = await newPerson(house);
      const registered = await register(userId, call);
      expect(registered).toEqual({
        details: details(4, house.cast.home.id),
        uri: expect.stringMatching(/^otpauth:\/\/totp\//),
        secret: expect.stringMatching(/^[A-Z2-7]{32}$/),
      });
      const app = scanned(registered);
      expect(app).toMatchObject({ issuer: "Acme & Söhne", algorithm: "SHA1", digits: 6, period: 30 });
      expect(app.label).toMatch(/^factor-\d+@example\.com$/);
      expect(app.secret.base32).toBe(registered.secret);
      expect(await verify(userId, app.generate(), call)).toEqual({ details: details(5, house.cast.home.id) });
      expect(await refusal(register(userId, call))).toEqual(exists);
      // With the end of the sessions it is two events.
      expect(await remove(userId, call)).toEqual({ details: details(7, house.cast.home.id) });
      expect(await refusal(remove(userId, call))).toEqual(notFound);
    });

    test("are refused by their reasons", async () => {
      const call = asking(house, house.cast.owner, protocol);
      const userId = await newPerson(house);
      expect(await refusal(verify(userId, "123456", call))).toEqual(notRegistered);
      expect(await refusal(remove(userId, call))).toEqual(notFound);
      const app = scanned(await register(userId, call));
      expect(await refusal(verify(userId, app.generate({ timestamp: 0 }), call))).toEqual(wrongCode);
      await verify(userId, ` ${app.generate()} `, call);
      expect(await refusal(verify(userId, app.generate(), call))).toEqual(ready);
      for (const nobody of ["nobody-of-that-id", house.cast.nobody.id]) {
        expect(await refusal(register(nobody, call))).toEqual(noSuchUser);
        expect(await refusal(verify(nobody, "123456", call))).toEqual(notRegistered);
        expect(await refusal(remove(nobody, call))).toEqual(notFound);
      }
      const anonymous = asking(house, { token: "x" }, protocol);
      expect(await refusal(register(userId, anonymous))).toEqual(unauthenticated);
      expect(await refusal(verify(userId, "123456", anonymous))).toEqual(unauthenticated);
      expect(await refusal(remove(userId, anonymous))).toEqual(unauthenticated);
    });

    test("want an id of 1 to 200 characters and a code of as many", async () => {
      const call = asking(house, house.cast.owner, protocol);
      const long = "x".repeat(201);
      for (const method of ["RegisterTOTP", "RemoveTOTP"] as const) {
        expect(await refusal(call(method, { userId: long }))).toEqual(
          outOfBounds(`${method}Request.UserId`, length(1, 200)),
        );
      }
      const field = (name: string) => outOfBounds(`VerifyTOTPRegistrationRequest.${name}`, length(1, 200));
      expect(await refusal(verify(long, "123456", call))).toEqual(field("UserId"));
      expect(await refusal(verify("mia", "", call))).toEqual(field("Code"));
      expect(await refusal(verify("mia", long, call))).toEqual(field("Code"));
      // Neither too long nor a code: nothing of it is an internal error.
      const userId = await newPerson(house);
      await register(userId, call);
      for (const code of ["１２３４５６", "abcdef", "12345", "1234567", "x".repeat(200)]) {
        expect(await refusal(verify(userId, code, call))).toEqual(wrongCode);
      }
    });
  });

  test("of the kind an app cannot be told twice: the newer registration counts, the older code does not", async () => {
    const userId = await newPerson(house);
    const [first, second] = [scanned(await register(userId)), scanned(await register(userId))];
    expect(await refusal(verify(userId, first.generate()))).toEqual(wrongCode);
    await verify(userId, second.generate());
  });

  test.each(kinds)("who may set them up: %s", async (kind) => {
    const userId = await newPerson(house);
    const call = await callerOf(house, kind, userId);
    if (mayGive.includes(kind)) {
      await verify(userId, scanned(await register(userId, call)).generate(), call);
      return;
    }
    await expectDenied(call, "RegisterTOTP", { userId });
    const code = scanned(await register(userId)).generate();
    await expectDenied(call, "VerifyTOTPRegistration", { userId, code });
  });

  test.each(kinds)("who may remove them: %s", async (kind) => {
    const userId = await newPerson(house);
    const call = await callerOf(house, kind, userId);
    await register(userId);
    if (mayTake.includes(kind)) await remove(userId, call);
    else await expectDenied(call, "RemoveTOTP", { userId });
  });

  describe("that a new person brings along", () => {
    const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

    test.each(["CreateUser", "AddHumanUser"] as const)("with %s are set up at once", async (method) => {
      const { cast } = house;
      const userId = `brought-${method}`;
      const human = {
        profile: { givenName: "Bea", familyName: "Example" },
        email: { email: `${userId}@example.com`, isVerified: true },
        totpSecret: secret.toLowerCase(),
      };
      await ask(
        method,
        method === "CreateUser"
          ? { organizationId: cast.home.id, userId, human }
          : { organization: { orgId: cast.home.id }, userId, ...human },
      );
      expect(await refusal(register(userId))).toEqual(exists);
      expect(await ask("ListAuthenticationMethodTypes", { userId })).toMatchObject({
        authMethodTypes: ["AUTHENTICATION_METHOD_TYPE_TOTP"],
      });
    });

    test.each(["JBSWY3DP", "JBSWY3DPEHPK3PX", "not a secret", "0189", "💥"])(
      "are refused as %s",
      async (totpSecret) => {
        const human = {
          profile: { givenName: "Bea", familyName: "Example" },
          email: { email: "refused@example.com", isVerified: true },
          totpSecret,
        };
        const request = { organizationId: house.cast.home.id, userId: "refused", human };
        expect(await refusal(ask("CreateUser", request))).toEqual(
          refused(Code.InvalidArgument, "TOTP secret is no base32 of at least 10 bytes", "GATE-T0tpS"),
        );
      },
    );
  });

  test("leave their secret in no log line, no event and no row", async () => {
    const userId = await newPerson(house);
    const { secret } = await register(userId);
    const [row, events] = await house.operate(async (database) => [
      await userRow(database, { id: userId }),
      await streamOf(database, "user", userId),
    ]);
    const written = [...lines, JSON.stringify(row), JSON.stringify(events)].join("\n");
    expect(written).toContain("RegisterTOTP");
    for (const form of [secret, secret.toLowerCase(), new URLSearchParams({ secret }).toString()]) {
      expect(written).not.toContain(form);
    }
    expect(written).not.toContain("otpauth:");
  });
});
