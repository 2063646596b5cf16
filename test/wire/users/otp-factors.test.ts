import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type House, signIn, startHouse } from "../../support/fixtures.ts";
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

const noSuchUser = refused(Code.FailedPrecondition, "user could not be found", "GATE-0tpUs");

const factors = [
  {
    name: "SMS",
    add: "AddOTPSMS",
    remove: "RemoveOTPSMS",
    method: "AUTHENTICATION_METHOD_TYPE_OTP_SMS",
    unverified: { phone: { phone: "+41791234567" } },
    exists: refused(Code.AlreadyExists, "codes by SMS are set up already", "COMMAND-Ad3g2"),
    notVerified: refused(Code.FailedPrecondition, "phone number is not verified", "COMMAND-Q54j2"),
    notFound: refused(Code.NotFound, "codes by SMS are not set up", "COMMAND-Sr3h3"),
  },
  {
    name: "e-mail",
    add: "AddOTPEmail",
    remove: "RemoveOTPEmail",
    method: "AUTHENTICATION_METHOD_TYPE_OTP_EMAIL",
    unverified: { email: { email: "unverified@example.com" } },
    exists: refused(Code.AlreadyExists, "codes by e-mail are set up already", "COMMAND-MKL2s"),
    notVerified: refused(Code.FailedPrecondition, "e-mail address is not verified", "COMMAND-KLJ2d"),
    notFound: refused(Code.NotFound, "codes by e-mail are not set up", "COMMAND-b312D"),
  },
] as const;

describe.each(engines)("codes on %s", (engine) => {
  let house: House;
  let ask: Call;
  beforeAll(async () => {
    house = await startHouse(engine);
    ask = asking(house, house.cast.owner);
  });
  afterAll(() => house.close());

  describe.each(factors)("by $name", ({ add, remove, method, unverified, exists, notVerified, notFound }) => {
    const methods = async (userId: string) =>
      (await ask("ListAuthenticationMethodTypes", { userId })).authMethodTypes as string[];

    describe.each(protocolsOn(engine))("over %s", (protocol) => {
      test("are added once and removed once", async () => {
        const call = asking(house, house.cast.loginClient, protocol);
        const { home } = house.cast;
        const userId = await newPerson(house);
        expect(await call(add, { userId })).toEqual({ details: details(4, home.id) });
        expect(await methods(userId)).toContain(method);
        expect(await refusal(call(add, { userId }))).toEqual(exists);
        // With the end of the sessions it is two events.
        expect(await call(remove, { userId })).toEqual({ details: details(6, home.id) });
        expect(await methods(userId)).not.toContain(method);
        expect(await refusal(call(remove, { userId }))).toEqual(notFound);
        await call(add, { userId });
      });

      test("are refused by their reasons", async () => {
        const call = asking(house, house.cast.owner, protocol);
        const userId = await newPerson(house, unverifiedOnce(unverified));
        expect(await refusal(call(add, { userId }))).toEqual(notVerified);
        for (const nobody of ["nobody-of-that-id", house.cast.nobody.id]) {
          expect(await refusal(call(add, { userId: nobody }))).toEqual(noSuchUser);
          expect(await refusal(call(remove, { userId: nobody }))).toEqual(notFound);
        }
        for (const rpc of [add, remove] as const) {
          expect(await refusal(call(rpc, { userId: "x".repeat(201) }))).toEqual(
            outOfBounds(`${rpc}Request.UserId`, length(1, 200)),
          );
          expect(await refusal(asking(house, { token: "x" }, protocol)(rpc, { userId }))).toEqual(
            unauthenticated,
          );
        }
      });
    });

    test.each(kinds)("who may add them: %s", async (kind) => {
      const userId = await newPerson(house);
      const call = await callerOf(house, kind, userId);
      if (mayGive.includes(kind)) await call(add, { userId });
      else await expectDenied(call, add, { userId });
    });

    test.each(kinds.filter((kind) => kind !== "the person"))("who may remove them: %s", async (kind) => {
      const userId = await newPerson(house);
      await ask(add, { userId });
      const call = await callerOf(house, kind, userId);
      if (mayTake.includes(kind)) await call(remove, { userId });
      else await expectDenied(call, remove, { userId });
    });

    test("one removes one's own, by a session that has proven them too", async () => {
      const userId = await newPerson(house);
      await ask(add, { userId });
      const client = house.as(house.cast.loginClient);
      const challenge = add === "AddOTPSMS" ? { otpSms: { returnCode: true } } : returnedByEmail;
      const { sessionId, challenges } = await client.createSession({
        checks: signIn({ id: userId }),
        challenges: challenge,
      });
      const checks = challenges!.otpSms
        ? { otpSms: { code: challenges!.otpSms } }
        : { otpEmail: { code: challenges!.otpEmail! } };
      const { sessionToken } = await client.setSession({ sessionId, checks });
      await asking(house, { token: sessionToken })(remove, { userId });
    });
  });

  test("by SMS end with the number, and by e-mail stay when the address changes", async () => {
    const userId = await newPerson(house);
    await ask("AddOTPSMS", { userId });
    await ask("AddOTPEmail", { userId });
    await ask("UpdateHumanUser", {
      userId,
      email: { email: `changed-${engine}@example.com` },
      phone: { phone: "" },
    });
    expect(await refusal(ask("RemoveOTPSMS", { userId }))).toEqual(factors[0].notFound);
    expect(await refusal(ask("AddOTPSMS", { userId }))).toEqual(factors[0].notVerified);
    await ask("RemoveOTPEmail", { userId });
    expect(await refusal(ask("AddOTPEmail", { userId }))).toEqual(factors[1].notVerified);
  });
});

const returnedByEmail = { otpEmail: { deliveryType: { case: "returnCode" as const, value: {} } } };

let addresses = 0;

/** An address of its own, since it becomes the user name. */
function unverifiedOnce(contact: (typeof factors)[number]["unverified"]) {
  addresses += 1;
  return "email" in contact ? { email: { email: `unverified-${addresses}@example.com` } } : contact;
}
