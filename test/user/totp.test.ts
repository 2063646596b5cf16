import { Secret, type TOTP, URI } from "otpauth";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createUser } from "../../src/user/create-user.ts";
import type { NewHuman } from "../../src/user/prepare-user.ts";
import { decideVerifyTotp, registerTotp, removeTotp, verifyTotpRegistration } from "../../src/user/totp.ts";
import { engines } from "../support/databases.ts";
import { caller, givenUser } from "../support/given.ts";
import { defaultOrganization, type House, human, lock, openHouse, owner } from "./house.ts";

const slug = (name: string) => expect.objectContaining({ slug: name });
const totp = (ready: boolean) => ({ secret: "sealed", ready, lastStep: null });

describe("the first code of an authenticator app", () => {
  it.each([
    ["no app", null, 1, "user.totp_not_registered"],
    ["an app that is set up", totp(true), 1, "user.totp_ready"],
    ["a wrong code", totp(false), undefined, "user.totp_code_invalid"],
  ])("is refused for %s", (_, state, step, expected) => {
    expect(() => decideVerifyTotp({ ...givenUser(), totp: state }, () => step)).toThrow(slug(expected));
  });

  it("proves the app, and its time step is used up", () => {
    expect(decideVerifyTotp({ ...givenUser(), totp: totp(false) }, () => 42)).toEqual([
      { type: "user.human.mfa.otp.verified", payload: { step: 42 } },
    ]);
  });
});

describe.each(engines)("authenticator apps on %s", (engine) => {
  let house: House;
  let organizationId: string;
  beforeAll(async () => {
    house = await openHouse(engine);
    organizationId = await defaultOrganization(house);
  });
  afterAll(() => house.close());

  const add = (name: string, changes?: Partial<NewHuman>) =>
    createUser(house, owner, { organizationId, human: human(name, changes) });
  const app = (uri: string) => URI.parse(uri) as TOTP;
  const verify = (userId: string, code: string) => verifyTotpRegistration(house, owner, { userId, code });
  const stored = async (userId: string) => (await house.users.find(userId))!;

  it("are set up by the URI, with details of the write", async () => {
    await add("ada");
    const registered = await registerTotp(house, owner, "ada");
    expect(registered.uri).toBe(
      `otpauth://totp/Gatehouse:ada%40example.com?algorithm=SHA1&digits=6&issuer=Gatehouse&period=30&secret=${registered.secret}`,
    );
    const { sequence } = await stored("ada");
    expect(registered.details).toMatchObject({ sequence, resourceOwner: organizationId });
    const verified = await verify("ada", app(registered.uri).generate());
    const user = await stored("ada");
    expect(verified).toMatchObject({ sequence: sequence + 1, changedAt: user.changedAt });
    expect(user.totp).toMatchObject({ ready: true, lastStep: expect.any(Number) });
  });

  it("keep their secret encrypted, for this user only", async () => {
    await add("bea");
    const { secret } = await registerTotp(house, owner, "bea");
    const text = JSON.stringify([await stored("bea"), await house.events.readStream("user", "bea")]);
    expect(text).not.toContain(secret);
    expect(text).not.toContain(Buffer.from(secret).toString("base64").slice(0, 20));
    expect(text).not.toContain(Buffer.from(Secret.fromBase32(secret).bytes).toString("base64").slice(0, 20));
  });

  it("that wait for their first code are replaced, and the replaced one is worth nothing", async () => {
    await add("cleo");
    const first = await registerTotp(house, owner, "cleo");
    const second = await registerTotp(house, owner, "cleo");
    expect(second.secret).not.toBe(first.secret);
    await expect(verify("cleo", app(first.uri).generate())).rejects.toEqual(slug("user.totp_code_invalid"));
    await verify("cleo", app(second.uri).generate());
  });

  it("that are set up are not replaced, and not verified twice", async () => {
    await add("dora");
    const { uri } = await registerTotp(house, owner, "dora");
    const code = app(uri).generate();
    await verify("dora", code);
    await expect(registerTotp(house, owner, "dora")).rejects.toEqual(slug("user.totp_exists"));
    await expect(verify("dora", code)).rejects.toEqual(slug("user.totp_ready"));
  });

  it("are removed, whether they were completed or not, and set up anew with another secret", async () => {
    await add("eve");
    const { secret } = await registerTotp(house, owner, "eve");
    await removeTotp(house, owner, "eve");
    await expect(verify("eve", "123456")).rejects.toEqual(slug("user.totp_not_registered"));
    await expect(removeTotp(house, owner, "eve")).rejects.toEqual(slug("user.totp_not_found"));
    const again = await registerTotp(house, owner, "eve");
    expect(again.secret).not.toBe(secret);
    await verify("eve", app(again.uri).generate());
    await removeTotp(house, owner, "eve");
    expect((await stored("eve")).totp).toBeNull();
  });

  it("count no failed attempt while they are set up, and take a locked user's too", async () => {
    await add("fay");
    const { uri } = await registerTotp(house, owner, "fay");
    const wrong = app(uri).generate({ timestamp: 0 });
    for (let n = 0; n < 3; n++)
      await expect(verify("fay", wrong)).rejects.toEqual(slug("user.totp_code_invalid"));
    expect((await stored("fay")).failedAttempts).toEqual({});
    await lock(house, "fay");
    await verify("fay", app(uri).generate());
  });

  it.each(["JBSWY3DPEHPK3PXP", "jbsw y3dp ehpk 3pxp"])(
    "come along with a new user: %s",
    async (totpSecret) => {
      const name = `import-${totpSecret.length}`;
      await add(name, { totpSecret });
      expect((await stored(name)).totp).toMatchObject({ ready: true, lastStep: null });
      await expect(registerTotp(house, owner, name)).rejects.toEqual(slug("user.totp_exists"));
      expect(JSON.stringify(await house.events.readStream("user", name))).not.toMatch(/jbswy3dp/i);
    },
  );

  it.each(["", "JBSWY3DP", "not base32!"])(
    "do not come along with a new user as %j, who is not added",
    async (totpSecret) => {
      await expect(add("gus", { totpSecret })).rejects.toEqual(slug("user.totp_secret_invalid"));
      expect(await house.users.find("gus")).toBeUndefined();
    },
  );

  it("belong to people: a service account and nobody at all are told the same", async () => {
    const bot = { userId: "bot", name: "Bot", accessTokenType: 0, metadata: [] };
    await createUser(house, owner, { organizationId, machine: bot });
    for (const userId of ["bot", "nobody"]) {
      await expect(registerTotp(house, owner, userId)).rejects.toEqual(slug("user.totp_user_not_found"));
      await expect(verify(userId, "123456")).rejects.toEqual(slug("user.totp_not_registered"));
      await expect(removeTotp(house, owner, userId)).rejects.toEqual(slug("user.totp_not_found"));
    }
  });

  it("are one's own, or somebody's who may: to others they do not even exist", async () => {
    await add("hal");
    const hal = caller("hal");
    const { uri } = await registerTotp(house, hal, "hal");
    const code = app(uri).generate();
    const denied = slug("auth.permission_denied");
    for (const stranger of [caller("ada"), caller("boss", { elsewhere: ["ORG_OWNER"] })]) {
      for (const userId of ["hal", "nobody"]) {
        await expect(registerTotp(house, stranger, userId)).rejects.toEqual(denied);
        await expect(verifyTotpRegistration(house, stranger, { userId, code })).rejects.toEqual(denied);
        await expect(removeTotp(house, stranger, userId)).rejects.toEqual(denied);
      }
    }
    await verifyTotpRegistration(house, hal, { userId: "hal", code });
    await removeTotp(house, hal, "hal");
    // Credentials are more than profiles: who manages users may take an app away, but not give one.
    const manager = caller("manager", { [organizationId]: ["ORG_USER_MANAGER"] });
    await expect(registerTotp(house, manager, "hal")).rejects.toEqual(denied);
    await registerTotp(house, hal, "hal");
    await removeTotp(house, manager, "hal");
  });

  it("registered twice at once: one of the two is the one that waits", async () => {
    await add("ian");
    const both = await Promise.all([registerTotp(house, owner, "ian"), registerTotp(house, owner, "ian")]);
    const outcomes = [];
    for (const { uri } of both) {
      outcomes.push(
        await verify("ian", app(uri).generate()).then(
          () => "verified",
          ({ slug: name }) => name,
        ),
      );
    }
    expect(outcomes).toContain("verified");
    expect(
      (await house.events.readStream("user", "ian")).filter(({ type }) => type.endsWith("otp.verified")),
    ).toHaveLength(1);
  });
});
