import type { JsonObject } from "@bufbuild/protobuf";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashPassword } from "../../../src/crypto/password-hash.ts";
import { until } from "../../crash/poll.ts";
import { type HttpReceiver, openReceiver, type Replies } from "../../notify/http-receiver.ts";
import { type MailServer, type MailServerOptions, openMailServer } from "../../notify/mail-server.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, PASSWORD, startHouse, streamOf } from "../../support/fixtures.ts";
import { type Protocol, protocolsOn } from "../protocols.ts";
import { type Ask, asking, refusal } from "../settings/wire.ts";
import { person } from "../users/wire.ts";
import { codeIn, linkIn, mailsGoTo, mailTo, textsGoTo, textTo } from "./post.ts";

/** Computed once: whoever has it needs no hashing to be added. */
const hashedPassword = { hash: hashPassword(PASSWORD) };

describe.each(engines)("codes on their way on %s", (engine) => {
  const mailOptions: MailServerOptions = {};
  let house: House;
  let cast: Cast;
  let mails: MailServer;
  let texts: HttpReceiver;
  let reply: Replies = () => ({ status: 200 });
  let now: () => Date = () => new Date();
  const log: string[] = [];
  beforeAll(async () => {
    mails = await openMailServer(mailOptions);
    texts = await openReceiver((request, count) => reply(request, count));
    house = await startHouse(engine, {
      server: {
        clock: () => now(),
        delay: async () => {},
        logger: pino({ level: "debug" }, { write: (line: string) => void log.push(line) }),
        delivery: { timing: { retryAfterMs: () => 5, pollMs: { least: 5, most: 20 } } },
      },
    });
    cast = house.cast;
    await mailsGoTo(house, cast.owner, mails);
    await textsGoTo(house, cast.owner, texts);
  });
  afterAll(async () => {
    await house.close();
    await mails.close();
    await texts.close();
  });

  const as = (service: "user" | "session", protocol?: Protocol): Ask =>
    asking(house, service, cast.owner, protocol);
  let people = 0;
  /** Somebody with both factors. */
  const newPerson = async () => {
    const userId = `person-${engine}-${++people}`;
    const phone = `+4177${String(1_000_000 + people)}`;
    const ask = as("user");
    const human = person(userId, { hashedPassword, phone: { phone, isVerified: true } });
    await ask("CreateUser", { organizationId: cast.home.id, userId, human });
    await ask("AddOTPSMS", { userId });
    await ask("AddOTPEmail", { userId });
    return { userId, phone, email: `${userId}@example.com` };
  };
  const factorsOf = async (sessionId: string) => {
    const { session } = await as("session")("GetSession", { sessionId });
    return (session as JsonObject).factors as JsonObject;
  };
  const historyOf = async (sessionId: string) => {
    const stream = await house.operate((opened) => streamOf(opened, "session", sessionId));
    return stream.map(({ type }) => type.replace("session.", ""));
  };

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("a code by SMS signs in, once", async () => {
      const { userId, phone } = await newPerson();
      const ask = as("session", protocol);
      const created = await ask("CreateSession", {
        checks: { user: { userId } },
        challenges: { otpSms: {} },
      });
      // The code goes to the telephone and nowhere else.
      expect(created.challenges ?? {}).toEqual({});
      const sessionId = created.sessionId as string;
      const sms = await textTo(texts, phone);
      expect(sms.text).toBe(
        `${sms.code} is your sign-in code at localhost. Good for 5 minutes. Give it to nobody.`,
      );
      expect(sms.code).toMatch(/^\d{8}$/);
      expect(sms.message.contextInfo).toMatchObject({ eventType: "session.otp.sms.challenged" });
      expect(sms.message.args).toMatchObject({
        userID: userId,
        sessionID: sessionId,
        loginName: expect.anything(),
      });
      await ask("SetSession", { sessionId, checks: { otpSms: { code: sms.code } } });
      expect(await factorsOf(sessionId)).toHaveProperty("otpSms.verifiedAt");
      const again = ask("SetSession", { sessionId, checks: { otpSms: { code: sms.code } } });
      expect(await refusal(again)).toMatchObject({ id: "COMMAND-S34gh" });
    });

    test("a code by e-mail signs in, from the link as well", async () => {
      const { userId, email } = await newPerson();
      const ask = as("session", protocol);
      const urlTemplate =
        "https://app.example/otp?c={{.Code}}&s={{.SessionID}}&u={{.UserID}}&l={{.LoginName}}";
      const { sessionId } = await ask("CreateSession", {
        checks: { user: { userId } },
        challenges: { otpEmail: { sendCode: { urlTemplate } } },
      });
      const mail = await mailTo(mails, email);
      expect(mail.headers.subject).toBe("Your sign-in code (localhost)");
      const { c: code, ...others } = Object.fromEntries(new URL(linkIn(mail)).searchParams);
      expect(others).toEqual({ s: sessionId, u: userId, l: email });
      expect(codeIn(mail)).toBe(code);
      await ask("SetSession", { sessionId: sessionId!, checks: { otpEmail: { code: code! } } });
      expect(await factorsOf(sessionId as string)).toHaveProperty("otpEmail.verifiedAt");
    });
  });

  test("the session hears that its codes were sent, and a late one is no news", async () => {
    const { userId, phone, email } = await newPerson();
    const ask = as("session");
    const answered = Promise.withResolvers<void>();
    const { sessionId } = (await ask("CreateSession", {
      checks: { user: { userId } },
      challenges: { otpEmail: {} },
    })) as { sessionId: string };
    await mailTo(mails, email);
    reply = async () => {
      await answered.promise;
      return { status: 200 };
    };
    await ask("SetSession", { sessionId, challenges: { otpSms: {} } });
    const { code } = await textTo(texts, phone);
    await ask("SetSession", { sessionId, checks: { otpSms: { code } } });
    answered.resolve();
    reply = () => ({ status: 200 });
    await until("both to be sent", () => sent(email) && sent(phone));
    const history = await historyOf(sessionId);
    expect(history.filter((type) => type.endsWith(".sent"))).toEqual(["otp.email.sent"]);
    // The session goes on working (spec D24).
    await ask("SetSession", { sessionId, challenges: { otpSms: {} } });
    expect(await factorsOf(sessionId)).toHaveProperty("otpSms");
  });

  const lines = () => log.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "notification");
  /** Whether the log says that the last message to this address was sent. */
  const sent = (recipient: string) => {
    const shown = recipient.includes("@")
      ? `${recipient[0]}***${recipient.slice(recipient.indexOf("@"))}`
      : `***${recipient.slice(-2)}`;
    return lines().some((line) => line.recipient === shown && line.outcome === "sent");
  };

  test("a provider that is down fails no request, and the code arrives when it is back", async () => {
    const { userId, phone } = await newPerson();
    const seen = texts.requests.length;
    reply = () => "hang up";
    const { sessionId } = (await as("session")("CreateSession", {
      checks: { user: { userId } },
      challenges: { otpSms: {} },
    })) as { sessionId: string };
    await until("attempts in vain", () => texts.requests.length >= seen + 3);
    const tried = [...texts.requests];
    reply = () => ({ status: 200 });
    const { code } = await textTo(texts, phone, tried);
    await as("session")("SetSession", { sessionId, checks: { otpSms: { code } } });
    expect(await factorsOf(sessionId)).toHaveProperty("otpSms");
  });

  test("a code whose time runs out while the provider is down is never sent", async () => {
    const { userId, phone } = await newPerson();
    reply = () => ({ status: 503 });
    await as("session")("CreateSession", { checks: { user: { userId } }, challenges: { otpSms: {} } });
    const { message } = await textTo(texts, phone);
    const ahead = new Date(Date.now() + 301_000);
    now = () => ahead;
    await until("the message to be dropped", () =>
      lines().some(({ outcome, kind }) => outcome === "dropped" && kind === "VerifySMSOTP"),
    );
    now = () => new Date();
    const tries = () => texts.requests.filter(({ body }) => body.includes(phone)).length;
    const before = tries();
    reply = () => ({ status: 200 });
    const other = await newPerson();
    await as("session")("CreateSession", {
      checks: { user: { userId: other.userId } },
      challenges: { otpSms: {} },
    });
    await textTo(texts, other.phone);
    expect(tries()).toBe(before);
    expect((message.args as JsonObject).userID).toBe(userId);
  });

  test("an address the mail server refuses is not tried twice", async () => {
    const { userId, email } = await newPerson();
    mailOptions.refuse = { at: "RCPT TO", code: 550 };
    await as("session")("CreateSession", { checks: { user: { userId } }, challenges: { otpEmail: {} } });
    await until("the refusal", () => lines().some(({ outcome }) => outcome === "failed"));
    delete mailOptions.refuse;
    const other = await newPerson();
    await as("session")("CreateSession", {
      checks: { user: { userId: other.userId } },
      challenges: { otpEmail: {} },
    });
    await mailTo(mails, other.email);
    expect(mails.mails.filter(({ to }) => to.includes(email))).toEqual([]);
    const refusals = lines().filter(({ outcome }) => outcome === "failed");
    expect(refusals).toMatchObject([{ reason: "SMTP 550 5.1.1 at RCPT TO", attempt: 1 }]);
  });

  test("a slow provider slows no request", async () => {
    const gate = Promise.withResolvers<void>();
    reply = async () => {
      await gate.promise;
      return { status: 200 };
    };
    const many = await Promise.all(Array.from({ length: 12 }, () => newPerson()));
    // More than may be under way at once; every request is answered although no message can leave.
    const sessions = await Promise.all(
      many.map(({ userId }) =>
        as("session")("CreateSession", { checks: { user: { userId } }, challenges: { otpSms: {} } }),
      ),
    );
    expect(sessions).toHaveLength(12);
    gate.resolve();
    reply = () => ({ status: 200 });
    for (const { phone } of many) await textTo(texts, phone);
  });

  test("the old address gets the codes until the new one is verified", async () => {
    const { userId, phone, email } = await newPerson();
    const ask = as("user");
    const [newEmail, newPhone] = [`new-${email}`, phone.replace("+4177", "+4176")];
    const toVerify = await ask("SetEmail", { userId, email: newEmail, returnCode: {} });
    await ask("SetPhone", { userId, phone: newPhone, returnCode: {} });
    const challenge = () =>
      as("session")("CreateSession", {
        checks: { user: { userId } },
        challenges: { otpSms: {}, otpEmail: {} },
      });
    await challenge();
    await mailTo(mails, email);
    await textTo(texts, phone);
    await ask("VerifyEmail", { userId, verificationCode: toVerify.verificationCode! });
    await challenge();
    await mailTo(mails, newEmail);
    expect(texts.requests.some(({ body }) => body.includes(newPhone))).toBe(false);
  });

  test("an invitation to add a passkey goes by mail, and its link opens to a code that counts", async () => {
    const { userId, email } = await newPerson();
    const ask = as("user");
    const urlTemplate = "https://app.example/passkey?u={{.UserID}}&o={{.OrgID}}&i={{.CodeID}}&c={{.Code}}";
    await ask("CreatePasskeyRegistrationLink", { userId, sendLink: { urlTemplate } });
    const mail = await mailTo(mails, email);
    expect(mail.headers.subject).toBe("Add a passkey (localhost)");
    const { u, o, i: id, c: code } = Object.fromEntries(new URL(linkIn(mail)).searchParams);
    expect([u, o]).toEqual([userId, cast.home.id]);
    expect(mail.text).toContain(`The code is ${code}, its number ${id}.`);
    const register = (given: JsonObject) =>
      ask("RegisterPasskey", { userId, code: given, domain: "localhost" });
    expect(await refusal(register({ id: id!, code: "WRONG" }))).toMatchObject({ id: "COMMAND-Eeb2a" });
    expect(await register({ id: id!, code: code! })).toHaveProperty("passkeyId");
    await until("the mail to be on record", async () => {
      const stream = await house.operate((opened) => streamOf(opened, "user", userId));
      return stream.some(({ type }) => type === "user.human.passwordless.initialization.code.sent");
    });
  });

  test("a session that ended gets nothing any more", async () => {
    const { userId, phone } = await newPerson();
    reply = () => ({ status: 503 });
    const ask = as("session");
    const { sessionId } = (await ask("CreateSession", {
      checks: { user: { userId } },
      challenges: { otpSms: {} },
    })) as { sessionId: string };
    await textTo(texts, phone);
    await ask("DeleteSession", { sessionId });
    const dropped = () => lines().filter(({ reason }) => reason === "no longer waited for").length;
    await until("the message to be dropped", () => dropped() > 0);
    reply = () => ({ status: 200 });
  });

  test("metrics tell what became of messages, and how many wait", async () => {
    const { userId } = await newPerson();
    const challenges = { otpSms: {}, otpEmail: {} };
    await as("session")("CreateSession", { checks: { user: { userId } }, challenges });
    const counted = async () => (await fetch(`${house.url}/debug/metrics`)).text();
    const text = await until("both to be counted", async () => {
      const now = await counted();
      const kinds = ['kind="VerifySMSOTP",channel="sms"', 'kind="VerifyEmailOTP",channel="email"'];
      return kinds.every((kind) => now.includes(`_total{${kind},outcome="sent"} `)) && now;
    });
    expect(text).toMatch(/^gatehouse_notifications_total\{kind="VerifySMSOTP",.*outcome="sent"\} [1-9]\d*$/m);
    expect(text).toMatch(/^# TYPE gatehouse_notifications_pending gauge$/m);
  });

  test("no code, address or number is in the log, and no code in what is stored", async () => {
    const { userId, phone, email } = await newPerson();
    const { sessionId } = (await as("session")("CreateSession", {
      checks: { user: { userId } },
      challenges: { otpSms: {}, otpEmail: {} },
    })) as { sessionId: string };
    const codes = [(await textTo(texts, phone)).code, codeIn(await mailTo(mails, email))];
    await until("both to be sent", () => sent(email) && sent(phone));
    const everything = log.join("");
    for (const secret of [...codes, phone, email]) expect(everything).not.toContain(secret);
    const stored = await house.operate(async (opened) => [
      await streamOf(opened, "session", sessionId),
      await opened.db.selectFrom("notifications").selectAll().execute(),
      await opened.db.selectFrom("events").select("payload").execute(),
    ]);
    for (const code of codes) expect(JSON.stringify(stored)).not.toContain(code);
  });
});
