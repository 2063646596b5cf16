import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashPassword } from "../../../src/crypto/password-hash.ts";
import { type HttpReceiver, openReceiver } from "../../notify/http-receiver.ts";
import { type MailServer, openMailServer } from "../../notify/mail-server.ts";
import { refusalOf, refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import {
  type Cast,
  type House,
  PASSWORD,
  signIn,
  startHouse,
  WRONG_PASSWORD,
} from "../../support/fixtures.ts";
import { codeIn, linkIn, mailsGoTo, mailTo, textsGoTo, textTo } from "../delivery/post.ts";
import { type Protocol, protocolsOn } from "../protocols.ts";
import { type Ask, asking, refusal } from "../settings/wire.ts";
import { code, details, permissionDenied, person } from "./wire.ts";

const FRESH = "Battery-Staple-2";

const notFound = refused(Code.NotFound, "user could not be found", "COMMAND-SAF4f");
const setNotFound = refused(Code.FailedPrecondition, "user could not be found", "COMMAND-G8dh3");
const noCode = refused(Code.FailedPrecondition, "there is no open code", "COMMAND-2M9fs");
const wrongCode = refused(Code.InvalidArgument, "code is invalid", "CODE-woT0xc");
const expired = refused(Code.FailedPrecondition, "code has expired", "CODE-QvUQ4P");

/** Computed once: whoever has it needs no hashing to be added. */
const hashedPassword = { hash: hashPassword(PASSWORD) };

describe.each(engines)("password resets on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let mails: MailServer;
  let texts: HttpReceiver;
  let now: () => Date = () => new Date();
  beforeAll(async () => {
    [mails, texts] = [await openMailServer(), await openReceiver()];
    house = await startHouse(engine, { server: { clock: () => now(), delay: async () => {} } });
    cast = house.cast;
    await mailsGoTo(house, cast.owner, mails);
    await textsGoTo(house, cast.owner, texts);
  });
  afterAll(async () => {
    await house.close();
    await mails.close();
    await texts.close();
  });

  const as = (caller: { token: string }, protocol?: Protocol): Ask => asking(house, "user", caller, protocol);
  let people = 0;
  const newPerson = async (human: JsonObject = {}) => {
    const userId = `person-${engine}-${++people}`;
    await as(cast.owner)("CreateUser", {
      organizationId: cast.home.id,
      userId,
      human: person(userId, { hashedPassword, ...human }),
    });
    return userId;
  };
  const newSession = (id: string, password?: string) =>
    house.as(cast.loginClient).createSession({ checks: signIn({ id }, password) });
  const set = (ask: Ask, userId: string, verificationCode: string, password = FRESH) =>
    ask("SetPassword", { userId, newPassword: { password }, verificationCode });
  const returnedCode = async (userId: string) => {
    const { verificationCode } = await as(cast.owner)("PasswordReset", { userId, returnCode: {} });
    return verificationCode as string;
  };

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("a code that is returned sets a new password, once, for whoever has it", async () => {
      const userId = await newPerson();
      const reset = await as(cast.owner, protocol)("PasswordReset", { userId, returnCode: {} });
      expect(reset).toEqual({ details: details(3, cast.home.id), verificationCode: code });
      const anybody = as(cast.nobody, protocol);
      const given = reset.verificationCode as string;
      // With the end of the sessions it is two events.
      expect(await set(anybody, userId, given)).toEqual({ details: details(5, cast.home.id) });
      await newSession(userId, FRESH);
      expect(await refusalOf(newSession(userId, PASSWORD))).toMatchObject({ id: "COMMAND-3M0fs" });
      expect(await refusal(set(anybody, userId, given))).toEqual(noCode);
    });

    test("a code goes by mail unless it is asked for otherwise, with a link to set the password", async () => {
      const userId = await newPerson();
      const sendLink = { urlTemplate: "https://app.example/reset/{{.UserID}}?org={{.OrgID}}&c={{.Code}}" };
      const reset = await as(cast.owner, protocol)("PasswordReset", { userId, sendLink });
      expect(reset).toEqual({ details: details(3, cast.home.id) });
      const mail = await mailTo(mails, `${userId}@example.com`);
      expect(mail.headers.subject).toBe("Set a new password (localhost)");
      const url = new URL(linkIn(mail));
      expect([url.pathname, url.searchParams.get("org")]).toEqual([`/reset/${userId}`, cast.home.id]);
      await set(as(cast.nobody, protocol), userId, url.searchParams.get("c")!);
      await newSession(userId, FRESH);

      await as(cast.owner, protocol)("PasswordReset", { userId });
      const second = await mailTo(mails, `${userId}@example.com`, [mail]);
      expect(second.text).not.toContain("https://");
      await set(as(cast.nobody, protocol), userId, codeIn(second), PASSWORD);
    });

    test("a code goes by SMS where that is asked for", async () => {
      const phone = `+4178${String(2_000_000 + ++people)}`;
      const userId = await newPerson({ phone: { phone, isVerified: true } });
      const sendLink = { notificationType: "NOTIFICATION_TYPE_SMS" };
      await as(cast.owner, protocol)("PasswordReset", { userId, sendLink });
      const sms = await textTo(texts, phone);
      expect(sms.text).toBe(
        `${sms.code} is the code to set a new password at localhost. Good for 1 hour. Give it to nobody.`,
      );
      await set(as(cast.nobody, protocol), userId, sms.code);
      await newSession(userId, FRESH);
    });
  });

  test("a wrong code is refused, counts for no lock, and the right one still works", async () => {
    const userId = await newPerson();
    const given = await returnedCode(userId);
    const ask = as(cast.nobody);
    for (const wrong of ["ABC123", given.toLowerCase().replace(/^\d+$/, "x"), `${given} `, "WRONG0"]) {
      if (wrong !== given) expect(await refusal(set(ask, userId, wrong))).toEqual(wrongCode);
    }
    expect(await refusalOf(newSession(userId, WRONG_PASSWORD))).toMatchObject({ failedAttempts: 1 });
    await set(ask, userId, given);
    await newSession(userId, FRESH);
  });

  test("a code guessed at a hundred times is void, however many guess at once", async () => {
    const userId = await newPerson();
    const given = await returnedCode(userId);
    const guesses = Array.from({ length: 110 }, (_, guess) => `G${String(guess).padStart(5, "0")}`);
    const answers = await Promise.all(guesses.map((guess) => refusal(set(as(cast.nobody), userId, guess))));
    expect(answers.filter(({ id }) => id === "CODE-woT0xc")).toHaveLength(100);
    expect(answers.filter(({ id }) => id === "COMMAND-2M9fs")).toHaveLength(10);
    expect(await refusal(set(as(cast.nobody), userId, given))).toEqual(noCode);
    await newSession(userId, PASSWORD);
    await set(as(cast.nobody), userId, await returnedCode(userId));
  });

  test("a code used twice at once sets one password", async () => {
    const userId = await newPerson();
    const given = await returnedCode(userId);
    const passwords = Array.from({ length: 5 }, (_, index) => `Password-${index}!`);
    const answers = await Promise.allSettled(
      passwords.map((password) => set(as(cast.nobody), userId, given, password)),
    );
    const won = passwords.filter((_, index) => answers[index]!.status === "fulfilled");
    expect(won).toHaveLength(1);
    await newSession(userId, won[0]);
  });

  test("a code is good for an hour, and is told when it was not", async () => {
    const userId = await newPerson();
    const start = Date.now();
    now = () => new Date(start);
    const given = await returnedCode(userId);
    now = () => new Date(start + 3_600_001);
    expect(await refusal(set(as(cast.nobody), userId, given))).toEqual(expired);
    now = () => new Date(start + 3_600_000);
    await set(as(cast.nobody), userId, given);
    now = () => new Date();
  });

  test("a new code voids the one before, and a new password voids every code", async () => {
    const userId = await newPerson();
    const first = await returnedCode(userId);
    const second = await returnedCode(userId);
    expect(await refusal(set(as(cast.nobody), userId, first))).toEqual(wrongCode);
    await as(cast.owner)("SetPassword", { userId, newPassword: { password: FRESH } });
    expect(await refusal(set(as(cast.nobody), userId, second))).toEqual(noCode);
  });

  test("a refused password leaves the code as it was", async () => {
    const userId = await newPerson();
    const given = await returnedCode(userId);
    expect(await refusal(set(as(cast.nobody), userId, given, "weak"))).toMatchObject({ id: "DOMAIN-HuJf6" });
    await set(as(cast.nobody), userId, given);
  });

  test("the same password again is taken: only the current one, given as such, is compared", async () => {
    const userId = await newPerson();
    await set(as(cast.nobody), userId, await returnedCode(userId), PASSWORD);
    await newSession(userId, PASSWORD);
  });

  test("UpdateUser and UpdateHumanUser take the code as well", async () => {
    const userId = await newPerson();
    const ask = as(cast.owner);
    const password = async () => ({
      password: { password: FRESH },
      verificationCode: await returnedCode(userId),
    });
    await ask("UpdateUser", { userId, human: { password: await password() } });
    await newSession(userId, FRESH);
    await ask("UpdateHumanUser", {
      userId,
      password: { ...(await password()), verificationCode: "WRONG1" },
    }).then(
      () => expect.unreachable("a wrong code was taken"),
      () => undefined,
    );
    await ask("UpdateHumanUser", { userId, password: await password() });
  });

  test("goes to the address and the number that were proven last, not to those only claimed", async () => {
    const [proven, claimed] = [`+4178${3_000_000 + ++people}`, `+4178${3_000_000 + ++people}`];
    const userId = await newPerson({ phone: { phone: proven, isVerified: true } });
    const ask = as(cast.owner);
    await ask("SetEmail", { userId, email: `claimed-${userId}@example.com` });
    await ask("SetPhone", { userId, phone: claimed });
    const before = [...mails.mails];
    await ask("PasswordReset", { userId, sendLink: {} });
    expect((await mailTo(mails, `${userId}@example.com`, before)).text).toContain("A new password");
    await ask("PasswordReset", { userId, sendLink: { notificationType: "NOTIFICATION_TYPE_SMS" } });
    expect((await textTo(texts, proven)).text).toContain("new password");
  });

  test("by SMS needs a number", async () => {
    const userId = await newPerson();
    const sendLink = { notificationType: "NOTIFICATION_TYPE_SMS" };
    expect(await refusal(as(cast.owner)("PasswordReset", { userId, sendLink }))).toEqual(
      refused(Code.FailedPrecondition, "user has no phone number", "GATE-Rst0a"),
    );
  });

  test("is for oneself, or by permission; nobody else learns whether there is such a user", async () => {
    const userId = await newPerson();
    const { sessionToken } = await newSession(userId);
    const before = [...mails.mails];
    await as({ token: sessionToken })("PasswordReset", { userId });
    await mailTo(mails, `${userId}@example.com`, before);
    for (const caller of [cast.nobody, cast.otherOrgOwner, cast.viewer]) {
      for (const id of [userId, "nobody-of-that-id", cast.owner.id]) {
        for (const medium of [{}, { returnCode: {} }, { sendLink: { urlTemplate: "{{" } }] as JsonObject[]) {
          const call = as(caller)("PasswordReset", { userId: id, ...medium });
          expect(await refusal(call)).toEqual(permissionDenied);
        }
      }
    }
  });

  test("is for people who exist", async () => {
    const ask = as(cast.owner);
    for (const userId of ["nobody-of-that-id", cast.nobody.id]) {
      expect(await refusal(ask("PasswordReset", { userId }))).toEqual(notFound);
      expect(await refusal(set(ask, userId, "ABC123"))).toEqual(setNotFound);
      // To others a wrong user says what a user without a code says.
      expect(await refusal(set(as(cast.nobody), userId, "ABC123"))).toEqual(noCode);
    }
  });

  test("a URL template that is none is refused", async () => {
    const userId = await newPerson();
    const reset = (urlTemplate: string) =>
      as(cast.owner)("PasswordReset", { userId, sendLink: { urlTemplate } });
    expect(await refusal(reset("{{.Code"))).toMatchObject({ id: "DOMAIN-oGh5e" });
    expect(await refusal(reset("{{.LoginName}}"))).toMatchObject({ id: "DOMAIN-ieYa7" });
    expect(await refusal(set(as(cast.nobody), userId, "ABC123"))).toEqual(noCode);
  });
});
