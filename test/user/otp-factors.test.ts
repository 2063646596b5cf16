import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createUser } from "../../src/user/create-user.ts";
import {
  addOtpFactor,
  decideAddOtpFactor,
  type OtpFactor,
  removeOtpFactor,
} from "../../src/user/otp-factors.ts";
import type { NewHuman } from "../../src/user/prepare-user.ts";
import { updateUser } from "../../src/user/update-user.ts";
import { engines } from "../support/databases.ts";
import { caller, givenUser } from "../support/given.ts";
import { defaultOrganization, type House, human, openHouse, owner } from "./house.ts";

const slug = (name: string) => expect.objectContaining({ slug: name });

describe.each([
  ["otpSms", "sms", { phoneVerified: true }, "user.otp_sms_exists", "user.otp_sms_phone_unverified"],
  ["otpEmail", "email", { emailVerified: true }, "user.otp_email_exists", "user.otp_email_unverified"],
] as const)("adding %s", (factor, kind, verified, exists, unverified) => {
  it("needs what the codes go to verified", () => {
    expect(() => decideAddOtpFactor(givenUser(), factor)).toThrow(slug(unverified));
    expect(decideAddOtpFactor({ ...givenUser(), ...verified }, factor)).toEqual([
      { type: `user.human.mfa.otp.${kind}.added`, payload: {} },
    ]);
  });

  it("is said to be done already before anything else", () => {
    expect(() => decideAddOtpFactor({ ...givenUser(), ...verified, [factor]: true }, factor)).toThrow(
      slug(exists),
    );
    expect(() => decideAddOtpFactor({ ...givenUser(), [factor]: true }, factor)).toThrow(slug(exists));
  });
});

describe.each(engines)("codes by SMS and e-mail on %s", (engine) => {
  let house: House;
  let organizationId: string;
  beforeAll(async () => {
    house = await openHouse(engine);
    organizationId = await defaultOrganization(house);
  });
  afterAll(() => house.close());

  const factors: readonly OtpFactor[] = ["otpSms", "otpEmail"];
  const reachable: Partial<NewHuman> = { phone: { text: "+41791234567", verification: "verified" } };
  const add = (name: string, changes?: Partial<NewHuman>) =>
    createUser(house, owner, { organizationId, human: human(name, changes) });
  const stored = async (userId: string) => (await house.users.find(userId))!;
  const exists = { otpSms: slug("user.otp_sms_exists"), otpEmail: slug("user.otp_email_exists") };
  const notFound = { otpSms: slug("user.otp_sms_not_found"), otpEmail: slug("user.otp_email_not_found") };

  it.each(factors)("%s is added once and removed once, with details of the write", async (factor) => {
    const name = `ada-${factor}`;
    await add(name, reachable);
    const { sequence } = await stored(name);
    expect(await addOtpFactor(house, owner, name, factor)).toMatchObject({
      sequence: sequence + 1,
      resourceOwner: organizationId,
    });
    expect((await stored(name))[factor]).toBe(true);
    await expect(addOtpFactor(house, owner, name, factor)).rejects.toEqual(exists[factor]);
    // Removed, and with it the sessions ended.
    expect(await removeOtpFactor(house, owner, name, factor)).toMatchObject({ sequence: sequence + 3 });
    expect((await stored(name))[factor]).toBe(false);
    await expect(removeOtpFactor(house, owner, name, factor)).rejects.toEqual(notFound[factor]);
  });

  it("an address that waits for its verification is not enough", async () => {
    await add("bea", {
      email: { text: "bea@example.com", verification: "send" },
      phone: { text: "+41791234567", verification: "send" },
    });
    await expect(addOtpFactor(house, owner, "bea", "otpSms")).rejects.toEqual(
      slug("user.otp_sms_phone_unverified"),
    );
    await expect(addOtpFactor(house, owner, "bea", "otpEmail")).rejects.toEqual(
      slug("user.otp_email_unverified"),
    );
  });

  it("stay when address and number change, and go on to the last verified ones", async () => {
    await add("cleo", reachable);
    for (const factor of factors) await addOtpFactor(house, owner, "cleo", factor);
    await updateUser(house, owner, {
      userId: "cleo",
      metadata: [],
      human: {
        email: { text: "new@example.com", verification: "send" },
        phone: { text: "+41797654321", verification: "send" },
      },
    });
    expect(await stored("cleo")).toMatchObject({
      otpSms: true,
      otpEmail: true,
      verifiedEmail: "cleo@example.com",
      verifiedPhone: "+41791234567",
    });
  });

  it("by SMS end with the phone number", async () => {
    await add("dora", reachable);
    for (const factor of factors) await addOtpFactor(house, owner, "dora", factor);
    await updateUser(house, owner, {
      userId: "dora",
      metadata: [],
      human: { phone: { text: "", verification: "none" } },
    });
    expect(await stored("dora")).toMatchObject({ otpSms: false, otpEmail: true });
    await expect(removeOtpFactor(house, owner, "dora", "otpSms")).rejects.toEqual(notFound.otpSms);
  });

  it("belong to people, and are one's own or somebody's who may", async () => {
    const bot = { userId: "bot", name: "Bot", accessTokenType: 0, metadata: [] };
    await createUser(house, owner, { organizationId, machine: bot });
    await add("eve", reachable);
    const manager = caller("manager", { [organizationId]: ["ORG_USER_MANAGER"] });
    const denied = slug("auth.permission_denied");
    for (const factor of factors) {
      for (const userId of ["bot", "nobody"]) {
        await expect(addOtpFactor(house, owner, userId, factor)).rejects.toEqual(
          slug("user.otp_user_not_found"),
        );
        await expect(removeOtpFactor(house, owner, userId, factor)).rejects.toEqual(notFound[factor]);
        await expect(addOtpFactor(house, caller("x"), userId, factor)).rejects.toEqual(denied);
        await expect(removeOtpFactor(house, caller("x"), userId, factor)).rejects.toEqual(denied);
      }
      await expect(addOtpFactor(house, caller("x"), "eve", factor)).rejects.toEqual(denied);
      await expect(addOtpFactor(house, manager, "eve", factor)).rejects.toEqual(denied);
      await addOtpFactor(house, caller("eve"), "eve", factor);
      await expect(removeOtpFactor(house, caller("x"), "eve", factor)).rejects.toEqual(denied);
      await removeOtpFactor(house, manager, "eve", factor);
    }
  });

  it("added many times at once are added once", async () => {
    await add("fay", reachable);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () => addOtpFactor(house, owner, "fay", "otpSms")),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(outcomes.filter(({ status }) => status === "rejected")).toEqual(
      Array(9).fill(expect.objectContaining({ reason: slug("user.otp_sms_exists") })),
    );
  });
});
