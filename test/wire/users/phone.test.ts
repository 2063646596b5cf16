import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashPassword } from "../../../src/crypto/password-hash.ts";
import { type HttpReceiver, isSigned, openReceiver } from "../../notify/http-receiver.ts";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, PASSWORD, signIn, startHouse, streamOf } from "../../support/fixtures.ts";
import { textsGoTo, textTo } from "../delivery/post.ts";
import { type Protocol, protocolsOn } from "../protocols.ts";
import { type Ask, asking, refusal } from "../settings/wire.ts";
import { code, details, permissionDenied, person } from "./wire.ts";

const notFound = refused(Code.NotFound, "user could not be found", "COMMAND-ieJ2e");
const unchanged = refused(Code.FailedPrecondition, "nothing would change", "COMMAND-Uch5e");
const wrongCode = refused(Code.InvalidArgument, "code is invalid", "COMMAND-eis9R");
const noCode = refused(Code.FailedPrecondition, "there is no open code", "PHONE-5xrra88eq8");
const noNumber = refused(Code.InvalidArgument, "phone number is invalid", "PHONE-so0wa");

/** Computed once: whoever has it needs no hashing to be added. */
const hashedPassword = { hash: hashPassword(PASSWORD) };

describe.each(engines)("phone numbers on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let texts: HttpReceiver;
  let signingKey: string;
  beforeAll(async () => {
    texts = await openReceiver();
    house = await startHouse(engine, { server: { delay: async () => {} } });
    cast = house.cast;
    ({ signingKey } = await textsGoTo(house, cast.owner, texts));
  });
  afterAll(async () => {
    await house.close();
    await texts.close();
  });

  const as = (caller: { token: string }, protocol?: Protocol): Ask => asking(house, "user", caller, protocol);
  let people = 0;
  /** A number nobody else has. */
  const number = () => `+4179${String(1_000_000 + ++people)}`;
  const newPerson = async (human: JsonObject = {}) => {
    const userId = `person-${engine}-${++people}`;
    await as(cast.owner)("CreateUser", {
      organizationId: cast.home.id,
      userId,
      human: person(userId, { hashedPassword, ...human }),
    });
    return userId;
  };
  const asUser = async (userId: string) => {
    const { sessionToken } = await house
      .as(cast.loginClient)
      .createSession({ checks: signIn({ id: userId }) });
    return as({ token: sessionToken });
  };
  const phoneOf = async (userId: string) => {
    const { user } = await as(cast.owner)("GetUserByID", { userId });
    return ((user as JsonObject).human as JsonObject).phone;
  };

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("SetPhone sends a code to the new number, and VerifyPhone takes it, once", async () => {
      const [userId, phone] = [await newPerson(), number()];
      const ask = as(cast.owner, protocol);
      // As people write it; it is stored in one form.
      const written = `0${phone.slice(3, 5)} ${phone.slice(5)}`;
      expect(await ask("SetPhone", { userId, phone: written })).toEqual({
        details: details(4, cast.home.id),
      });
      expect(await phoneOf(userId)).toEqual({ phone });
      const sms = await textTo(texts, phone);
      expect(isSigned(sms.request, signingKey)).toBe(true);
      expect(sms.text).toBe(
        `${sms.code} confirms your phone number at localhost. Good for 1 hour. Give it to nobody.`,
      );
      expect(sms.message.contextInfo).toMatchObject({ eventType: "user.human.phone.code.added" });
      expect(sms.message.args).toMatchObject({ userID: userId, orgID: cast.home.id, expiry: 3.6e12 });
      const verify = (verificationCode: string) => ask("VerifyPhone", { userId, verificationCode });
      expect(await refusal(verify("WRONG1"))).toEqual(wrongCode);
      await verify(sms.code);
      expect(await phoneOf(userId)).toEqual({ phone, isVerified: true });
      expect(await refusal(verify(sms.code))).toEqual(wrongCode);
    });

    test("SetPhone returns the code, or vouches for the number, to callers with the permission", async () => {
      const [userId, first, second] = [await newPerson(), number(), number()];
      const ask = as(cast.owner, protocol);
      const returned = await ask("SetPhone", { userId, phone: first, returnCode: {} });
      expect(returned).toEqual({ details: details(4, cast.home.id), verificationCode: code });
      await ask("VerifyPhone", { userId, verificationCode: returned.verificationCode! });
      const vouched = await ask("SetPhone", { userId, phone: second, isVerified: true });
      expect(vouched).toEqual({ details: details(7, cast.home.id) });
      expect(await phoneOf(userId)).toEqual({ phone: second, isVerified: true });
    });

    test("ResendPhoneCode makes a new code in place of an open one, which is void", async () => {
      const [userId, phone] = [await newPerson(), number()];
      const ask = as(cast.owner, protocol);
      expect(await refusal(ask("ResendPhoneCode", { userId }))).toEqual(noCode);
      const first = await ask("SetPhone", { userId, phone, returnCode: {} });
      const second = await ask("ResendPhoneCode", { userId, returnCode: {} });
      expect(second).toEqual({ details: details(5, cast.home.id), verificationCode: code });
      await ask("ResendPhoneCode", { userId, sendCode: {} });
      const { code: third } = await textTo(texts, phone);
      const verify = (verificationCode: string) => ask("VerifyPhone", { userId, verificationCode });
      expect(await refusal(verify(first.verificationCode as string))).toEqual(wrongCode);
      expect(await refusal(verify(second.verificationCode as string))).toEqual(wrongCode);
      await verify(third);
      expect(await refusal(ask("ResendPhoneCode", { userId }))).toEqual(noCode);
    });

    test("RemovePhone takes the number away, and with it the codes by SMS; a second time there is nothing to do", async () => {
      const userId = await newPerson({ phone: { phone: number(), isVerified: true } });
      const ask = as(cast.owner, protocol);
      await ask("AddOTPSMS", { userId });
      const removed = await ask("RemovePhone", { userId });
      // With the end of the sessions it is two events.
      expect(removed).toEqual({ details: details(6, cast.home.id) });
      expect(await phoneOf(userId)).toBeUndefined();
      expect(await refusal(ask("RemoveOTPSMS", { userId }))).toMatchObject({ id: "COMMAND-Sr3h3" });
      expect(await ask("RemovePhone", { userId })).toEqual(removed);
    });
  });

  test("one may change one's own number, but not vouch for it, nor be handed its code", async () => {
    const [userId, phone] = [await newPerson(), number()];
    const user = await asUser(userId);
    for (const choice of [{ isVerified: true }, { returnCode: {} }] as JsonObject[]) {
      expect(await refusal(user("SetPhone", { userId, phone, ...choice }))).toEqual(permissionDenied);
    }
    await user("SetPhone", { userId, phone });
    const sms = await textTo(texts, phone);
    expect(await refusal(user("ResendPhoneCode", { userId, returnCode: {} }))).toEqual(permissionDenied);
    await user("VerifyPhone", { userId, verificationCode: sms.code });
    expect(await phoneOf(userId)).toEqual({ phone, isVerified: true });
    await user("RemovePhone", { userId });
    expect(await phoneOf(userId)).toBeUndefined();
  });

  test("a caller without the permission learns nothing", async () => {
    const userId = await newPerson({ phone: { phone: number(), isVerified: true } });
    for (const caller of [cast.nobody, cast.otherOrgOwner, cast.viewer]) {
      const ask = as(caller);
      for (const id of [userId, "nobody-of-that-id", cast.owner.id]) {
        for (const [method, request] of [
          ["SetPhone", { phone: number() }],
          ["SetPhone", { phone: "no number" }],
          ["ResendPhoneCode", {}],
          ["RemovePhone", {}],
        ] as [string, JsonObject][]) {
          expect(await refusal(ask(method, { userId: id, ...request }))).toEqual(permissionDenied);
        }
        const verified = ask("VerifyPhone", { userId: id, verificationCode: "ABC123" });
        expect(await refusal(verified)).toEqual(wrongCode);
      }
    }
  });

  test("the same number again, nobody, and service accounts are refused", async () => {
    const phone = number();
    const userId = await newPerson({ phone: { phone, isVerified: true } });
    const ask = as(cast.owner);
    expect(await refusal(ask("SetPhone", { userId, phone: phone.replace("+", "00") }))).toEqual(unchanged);
    for (const id of ["nobody-of-that-id", cast.nobody.id]) {
      for (const method of ["ResendPhoneCode", "RemovePhone"]) {
        expect(await refusal(ask(method, { userId: id }))).toEqual(notFound);
      }
      expect(await refusal(ask("SetPhone", { userId: id, phone: number() }))).toEqual(notFound);
      expect(await refusal(ask("VerifyPhone", { userId: id, verificationCode: "ABC123" }))).toEqual(notFound);
    }
  });

  test.each(["no number", "12", "   ", "+999123456789"])("%j is no number", async (phone) => {
    const userId = await newPerson();
    expect(await refusal(as(cast.owner)("SetPhone", { userId, phone }))).toEqual(noNumber);
  });

  test("creating and updating people sends a code where one is asked for", async () => {
    const ask = as(cast.owner);
    const [first, second, third] = [number(), number(), number()];
    const userId = await newPerson({ phone: { phone: first, sendCode: {} } });
    expect((await textTo(texts, first)).code).toMatch(/^[A-Z0-9]{6}$/);
    await ask("UpdateUser", { userId, human: { phone: { phone: second, sendCode: {} } } });
    await textTo(texts, second);
    await ask("UpdateHumanUser", { userId, phone: { phone: third } });
    const { code: verificationCode } = await textTo(texts, third);
    await ask("VerifyPhone", { userId, verificationCode });
    expect(await phoneOf(userId)).toEqual({ phone: third, isVerified: true });
    const sent = async () => {
      const stream = await house.operate((opened) => streamOf(opened, "user", userId));
      return stream.filter(({ type }) => type === "user.human.phone.code.sent").length;
    };
    // The event follows the text, which may be verified before.
    await expect.poll(sent, { timeout: 10_000 }).toBe(3);
  });
});
