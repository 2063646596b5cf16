import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashPassword } from "../../../src/crypto/password-hash.ts";
import { type MailServer, openMailServer } from "../../notify/mail-server.ts";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, PASSWORD, signIn, startHouse, streamOf } from "../../support/fixtures.ts";
import { codeIn, linkIn, mailsGoTo, mailTo } from "../delivery/post.ts";
import { type Protocol, protocolsOn } from "../protocols.ts";
import { type Ask, asking, refusal } from "../settings/wire.ts";
import { asking as askingUsers, code, details, permissionDenied, person } from "./wire.ts";

const notFound = refused(Code.NotFound, "user could not be found", "COMMAND-ieJ2e");
const unchanged = refused(Code.FailedPrecondition, "nothing would change", "COMMAND-Uch5e");
const wrongCode = refused(Code.InvalidArgument, "code is invalid", "COMMAND-eis9R");
const noCode = refused(Code.FailedPrecondition, "there is no open code", "EMAIL-5w5ilin4yt");
const malformed = refused(Code.InvalidArgument, "the URL template is invalid", "DOMAIN-oGh5e");
const unknownVariable = refused(Code.InvalidArgument, "the URL template is invalid", "DOMAIN-ieYa7");

/** Computed once: whoever has it needs no hashing to be added. */
const hashedPassword = { hash: hashPassword(PASSWORD) };

describe.each(engines)("e-mail addresses on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let mails: MailServer;
  let now: () => Date = () => new Date();
  beforeAll(async () => {
    mails = await openMailServer();
    house = await startHouse(engine, { server: { clock: () => now(), delay: async () => {} } });
    cast = house.cast;
    await mailsGoTo(house, cast.owner, mails);
  });
  afterAll(async () => {
    await house.close();
    await mails.close();
  });

  const as = (caller: { token: string }, protocol?: Protocol): Ask => asking(house, "user", caller, protocol);
  let people = 0;
  const newPerson = async (human: JsonObject = {}) => {
    people += 1;
    const userId = `person-${engine}-${people}`;
    await as(cast.owner)("CreateUser", {
      organizationId: cast.home.id,
      userId,
      human: person(userId, { hashedPassword, ...human }),
    });
    return userId;
  };
  /** As the user itself, signed in with the password. */
  const asUser = async (userId: string, protocol?: Protocol) => {
    const { sessionToken } = await house
      .as(cast.loginClient)
      .createSession({ checks: signIn({ id: userId }) });
    return as({ token: sessionToken }, protocol);
  };
  const emailOf = async (userId: string) => {
    const { user } = await as(cast.owner)("GetUserByID", { userId });
    return ((user as JsonObject).human as JsonObject).email as JsonObject;
  };

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("SetEmail sends a code to the new address, and VerifyEmail takes it, once", async () => {
      const userId = await newPerson();
      const ask = as(cast.owner, protocol);
      const email = `new-${userId}-${protocol.toLowerCase()}@example.com`;
      expect(await ask("SetEmail", { userId, email })).toEqual({ details: details(4, cast.home.id) });
      expect(await emailOf(userId)).toEqual({ email });
      const mail = await mailTo(mails, email);
      expect(mail.headers.subject).toBe("Confirm your e-mail address (localhost)");
      const verify = (verificationCode: string) => ask("VerifyEmail", { userId, verificationCode });
      expect(await refusal(verify("WRONG1"))).toEqual(wrongCode);
      expect(await verify(codeIn(mail))).toEqual({ details: expect.anything() });
      expect(await emailOf(userId)).toEqual({ email, isVerified: true });
      expect(await refusal(verify(codeIn(mail)))).toEqual(wrongCode);
    });

    test("SetEmail returns the code, or vouches for the address, to callers with the permission", async () => {
      const userId = await newPerson();
      const ask = as(cast.owner, protocol);
      const returned = await ask("SetEmail", { userId, email: "a@example.com", returnCode: {} });
      expect(returned).toEqual({ details: details(4, cast.home.id), verificationCode: code });
      await ask("VerifyEmail", { userId, verificationCode: returned.verificationCode! });
      expect(await emailOf(userId)).toEqual({ email: "a@example.com", isVerified: true });
      const vouched = await ask("SetEmail", { userId, email: "b@example.com", isVerified: true });
      expect(vouched).toEqual({ details: details(7, cast.home.id) });
      expect(await emailOf(userId)).toEqual({ email: "b@example.com", isVerified: true });
    });

    test("ResendEmailCode and SendEmailCode make a new code, and the old one is void", async () => {
      const userId = await newPerson({ email: { email: `old-${protocol}@example.com`, returnCode: {} } });
      const ask = as(cast.owner, protocol);
      const first = await ask("ResendEmailCode", { userId, returnCode: {} });
      expect(first).toEqual({ details: details(3, cast.home.id), verificationCode: code });
      const second = await ask("SendEmailCode", { userId, returnCode: {} });
      expect(second).toEqual({ details: details(4, cast.home.id), verificationCode: code });
      const verify = (answer: JsonObject) =>
        ask("VerifyEmail", { userId, verificationCode: answer.verificationCode! });
      expect(await refusal(verify(first))).toEqual(wrongCode);
      await verify(second);
      expect(await refusal(ask("ResendEmailCode", { userId }))).toEqual(noCode);
      expect(await ask("SendEmailCode", { userId, returnCode: {} })).toHaveProperty("verificationCode");
    });
  });

  test("a mail's link opens to the right code, by the template of the request", async () => {
    const userId = await newPerson({ profile: { givenName: "Ada & Co", familyName: "L" } });
    const [first, second] = [`${userId}-1@example.com`, `${userId}-2@example.com`];
    const template = "https://app.example/verify/{{.UserID}}?code={{ .Code }}&org={{.OrgID}}";
    const ask = as(cast.owner);
    await ask("SetEmail", { userId, email: first, sendCode: { urlTemplate: template } });
    const mail = await mailTo(mails, first);
    const url = new URL(linkIn(mail));
    expect(url.pathname).toBe(`/verify/${userId}`);
    expect(Object.fromEntries(url.searchParams)).toEqual({ code: codeIn(mail), org: cast.home.id });
    expect(mail.html).toContain(`href="${linkIn(mail).replaceAll("&", "&amp;")}"`);
    expect(mail.html).toContain("Hello Ada &amp; Co L,");
    await ask("VerifyEmail", { userId, verificationCode: url.searchParams.get("code")! });

    await ask("SetEmail", { userId, email: second });
    expect((await mailTo(mails, second)).text).not.toContain("https://");
    await ask("ResendEmailCode", { userId, sendCode: { urlTemplate: "https://app.example/?c={{.Code}}" } });
    const again = await mailTo(
      mails,
      second,
      mails.mails.filter(({ text }) => !text.includes("?c=")),
    );
    expect(linkIn(again)).toBe(`https://app.example/?c=${codeIn(again)}`);
  });

  test("a URL template that is none is refused, and nothing changes", async () => {
    const userId = await newPerson();
    const ask = as(cast.owner);
    const set = (urlTemplate: string) =>
      ask("SetEmail", { userId, email: "x@example.com", sendCode: { urlTemplate } });
    expect(await refusal(set("https://app.example/{{"))).toEqual(malformed);
    expect(await refusal(set("https://app.example/{{.LoginName}}"))).toEqual(unknownVariable);
    expect(await refusal(ask("SendEmailCode", { userId, sendCode: { urlTemplate: "{{if}}" } }))).toEqual(
      malformed,
    );
    expect(await emailOf(userId)).toEqual({ email: `${userId}@example.com`, isVerified: true });
    const human = person("template", { email: { email: "t@example.com", sendCode: { urlTemplate: "{{" } } });
    const created = ask("CreateUser", { organizationId: cast.home.id, human });
    expect(await refusal(created)).toEqual(malformed);
  });

  test("one may change one's own address, but not vouch for it, nor be handed its code", async () => {
    const userId = await newPerson();
    const user = await asUser(userId);
    for (const choice of [{ isVerified: true }, { returnCode: {} }] as JsonObject[]) {
      const call = user("SetEmail", { userId, email: "mine@example.com", ...choice });
      expect(await refusal(call)).toEqual(permissionDenied);
    }
    expect(await refusal(user("SendEmailCode", { userId, returnCode: {} }))).toEqual(permissionDenied);
    const email = `own-${userId}@example.com`;
    await user("SetEmail", { userId, email });
    const mail = await mailTo(mails, email);
    expect(await refusal(user("ResendEmailCode", { userId, returnCode: {} }))).toEqual(permissionDenied);
    await user("VerifyEmail", { userId, verificationCode: codeIn(mail) });
    expect(await emailOf(userId)).toEqual({ email, isVerified: true });
  });

  test("a caller without the permission learns nothing: not of users, codes or templates", async () => {
    const userId = await newPerson();
    for (const caller of [cast.nobody, cast.otherOrgOwner, cast.viewer]) {
      const ask = as(caller);
      for (const id of [userId, "nobody-of-that-id", cast.owner.id]) {
        const requests: [string, JsonObject][] = [
          ["SetEmail", { email: `${userId}@example.com` }],
          ["SetEmail", { email: "x@example.com", sendCode: { urlTemplate: "{{" } }],
          ["SendEmailCode", {}],
          ["ResendEmailCode", {}],
        ];
        for (const [method, request] of requests) {
          expect(await refusal(ask(method, { userId: id, ...request }))).toEqual(permissionDenied);
        }
        // A code is all it takes, so a wrong one says the same of everybody.
        const verified = ask("VerifyEmail", { userId: id, verificationCode: "ABC123" });
        expect(await refusal(verified)).toEqual(wrongCode);
      }
    }
  });

  test("whoever has the code may verify", async () => {
    const userId = await newPerson({ email: { email: "stranger@example.com", returnCode: {} } });
    const { verificationCode } = await as(cast.owner)("SendEmailCode", { userId, returnCode: {} });
    await as(cast.nobody)("VerifyEmail", { userId, verificationCode: verificationCode! });
    expect(await emailOf(userId)).toMatchObject({ isVerified: true });
  });

  test("the same address again, nobody, and service accounts are refused", async () => {
    const userId = await newPerson();
    const ask = as(cast.owner);
    for (const email of [`${userId}@example.com`]) {
      expect(await refusal(ask("SetEmail", { userId, email }))).toEqual(unchanged);
      expect(await refusal(ask("SetEmail", { userId, email, isVerified: true }))).toEqual(unchanged);
    }
    for (const id of ["nobody-of-that-id", cast.nobody.id]) {
      expect(await refusal(ask("SetEmail", { userId: id, email: "x@example.com" }))).toEqual(notFound);
      expect(await refusal(ask("ResendEmailCode", { userId: id }))).toEqual(notFound);
      expect(await refusal(ask("SendEmailCode", { userId: id }))).toEqual(notFound);
      expect(await refusal(ask("VerifyEmail", { userId: id, verificationCode: "ABC123" }))).toEqual(notFound);
    }
    await ask("DeleteUser", { userId });
    expect(await refusal(ask("SetEmail", { userId, email: "x@example.com" }))).toEqual(notFound);
  });

  test("a code is good for an hour; each wrong or late one is recorded", async () => {
    const userId = await newPerson({ email: { email: "hour@example.com", returnCode: {} } });
    const ask = as(cast.owner);
    const start = Date.now();
    now = () => new Date(start);
    const { verificationCode } = await ask("SendEmailCode", { userId, returnCode: {} });
    const verify = (given: string) => ask("VerifyEmail", { userId, verificationCode: given });
    now = () => new Date(start + 3_600_001);
    expect(await refusal(verify(verificationCode as string))).toEqual(wrongCode);
    now = () => new Date(start + 3_599_999);
    expect(await refusal(verify((verificationCode as string).toLowerCase()))).toEqual(wrongCode);
    await verify(verificationCode as string);
    now = () => new Date();
    const stream = await house.operate((opened) => streamOf(opened, "user", userId));
    expect(stream.map(({ type }) => type.replace("user.human.", "")).slice(2)).toEqual([
      "email.code.added",
      "email.verification.failed",
      "email.verification.failed",
      "email.verified",
    ]);
    // A user without an open code has nothing recorded.
    expect(await refusal(verify("ABC123"))).toEqual(wrongCode);
    const after = await house.operate((opened) => streamOf(opened, "user", userId));
    expect(after).toHaveLength(stream.length);
  });

  test("a code guessed at a hundred times is void, and so many guesses at once change nothing", async () => {
    const userId = await newPerson({ email: { email: "guess@example.com", returnCode: {} } });
    const ask = as(cast.owner);
    const { verificationCode } = await ask("SendEmailCode", { userId, returnCode: {} });
    const guesses = Array.from({ length: 100 }, (_, guess) => `G${String(guess).padStart(5, "0")}`);
    const tries = guesses.map((guess) => refusal(ask("VerifyEmail", { userId, verificationCode: guess })));
    expect(await Promise.all(tries)).toEqual(guesses.map(() => wrongCode));
    const verified = ask("VerifyEmail", { userId, verificationCode: verificationCode! });
    expect(await refusal(verified)).toEqual(wrongCode);
    const fresh = await ask("ResendEmailCode", { userId, returnCode: {} });
    await ask("VerifyEmail", { userId, verificationCode: fresh.verificationCode! });
  });

  test("creating and updating people sends what they ask for", async () => {
    const ask = as(cast.owner);
    const template = "https://app.example/?c={{.Code}}";
    const ways: Record<string, (email: string) => Promise<unknown>> = {
      CreateUser: (email) =>
        ask("CreateUser", {
          organizationId: cast.home.id,
          human: person("x", { email: { email, sendCode: { urlTemplate: template } } }),
        }),
      AddHumanUser: (email) =>
        ask("AddHumanUser", person("x", { email: { email, sendCode: { urlTemplate: template } } })),
      AddOrganization: (email) =>
        askingUsers(house, cast.owner)("AddOrganization", {
          name: `Organization ${engine}`,
          admins: [{ human: person("o", { email: { email, sendCode: { urlTemplate: template } } }) }],
        }),
      UpdateUser: async (email) =>
        ask("UpdateUser", {
          userId: await newPerson(),
          human: { email: { email, sendCode: { urlTemplate: template } } },
        }),
      UpdateHumanUser: async (email) =>
        ask("UpdateHumanUser", {
          userId: await newPerson(),
          email: { email, sendCode: { urlTemplate: template } },
        }),
    };
    for (const [way, run] of Object.entries(ways)) {
      const email = `${way.toLowerCase()}-${engine}@example.com`;
      await run(email);
      const mail = await mailTo(mails, email);
      expect(linkIn(mail), way).toBe(`https://app.example/?c=${codeIn(mail)}`);
    }
    // Neither choice made means the same.
    const email = `no-choice-${engine}@example.com`;
    await ask("AddHumanUser", person("y", { email: { email } }));
    expect(codeIn(await mailTo(mails, email))).toMatch(/^[A-Z0-9]{6}$/);
  });

  test.each<[method: string, request: JsonObject, message: string]>([
    ["SetEmail", { email: "" }, "Email: value length must be between 1 and 200 runes, inclusive"],
    [
      "VerifyEmail",
      { verificationCode: "" },
      "VerificationCode: value length must be between 1 and 20 runes, inclusive",
    ],
    [
      "VerifyEmail",
      { verificationCode: "x".repeat(21) },
      "VerificationCode: value length must be between 1 and 20 runes, inclusive",
    ],
  ])("%s names the field of %o", async (method, request, message) => {
    const answer = await refusal(as(cast.owner)(method, { userId: "u", ...request }));
    expect(answer).toMatchObject({ code: Code.InvalidArgument });
    expect(answer.message).toContain(message);
  });

  test.each(["nobody", "nobody@", "a b@example.com"])("%j is no address", async (email) => {
    const userId = await newPerson();
    const set = as(cast.owner)("SetEmail", { userId, email });
    expect(await refusal(set)).toEqual(
      refused(Code.InvalidArgument, "e-mail address is invalid", "EMAIL-599BI"),
    );
  });

  test("a blank code is empty", async () => {
    const verified = as(cast.owner)("VerifyEmail", { userId: cast.mia.id, verificationCode: "  " });
    expect(await refusal(verified)).toEqual(refused(Code.InvalidArgument, "code is empty", "COMMAND-Fia4a"));
  });
});
