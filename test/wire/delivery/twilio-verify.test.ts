import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { GeneratedOtpChallenge } from "../../../src/storage/tables.ts";
import { until } from "../../crash/poll.ts";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, startHouse, streamOf } from "../../support/fixtures.ts";
import { type Protocol, protocolsOn } from "../protocols.ts";
import { type Ask, asking, refusal } from "../settings/wire.ts";
import { person } from "../users/wire.ts";
import { openVerifyService, type VerifyService } from "./twilio-verify.ts";

const noChallenge = refused(Code.FailedPrecondition, "there is no open code", "COMMAND-S34gh");
const expired = refused(Code.FailedPrecondition, "code has expired", "CODE-QvUQ4P");
const wrongCode = refused(Code.InvalidArgument, "code is invalid", "CODE-woT0xc");
const unavailable = refused(Code.Unavailable, "the code cannot be checked at the moment", "GATE-0tpUn");

const FAILED = "user.human.mfa.otp.sms.check.failed";
const SUCCEEDED = "user.human.mfa.otp.sms.check.succeeded";

/** What the log says about a message. */
type Report = { outcome: string; reason?: string; recipient: string; notificationId: string };

type Somebody = { userId: string; phone: string };

describe.each(engines)("codes that Twilio Verify makes, on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let twilio: VerifyService;
  let providerId: string;
  let now = new Date();
  const reports: Report[] = [];
  const logged = (line: string) => {
    const { msg, ...report } = JSON.parse(line);
    if (msg === "notification") reports.push(report);
  };
  beforeAll(async () => {
    twilio = await openVerifyService();
    house = await startHouse(engine, {
      server: {
        clock: () => now,
        delay: async () => {},
        logger: pino({ level: "info" }, { write: logged }),
        delivery: {
          twilioUrl: twilio.url,
          timing: { retryAfterMs: () => 5, pollMs: { least: 5, most: 20 } },
        },
      },
    });
    cast = house.cast;
  });
  beforeEach(async () => {
    now = new Date();
    twilio.isUp = true;
    twilio.beforeSending = async () => {};
    twilio.beforeAnswering = async () => {};
    providerId = await verifyService();
  });
  afterAll(async () => {
    await house.close();
    await twilio.close();
  });

  const as = (service: "user" | "session" | "admin", protocol?: Protocol): Ask =>
    asking(house, service, cast.owner, protocol);
  /** Has Verify send from now on. */
  const verifyService = async (more: JsonObject = {}): Promise<string> => {
    const service = { sid: "AC01", token: "t0ken", verifyServiceSid: "VA01", ...more };
    const { id } = await as("admin")("AddSMSProviderTwilio", service);
    await as("admin")("ActivateSMSProvider", { id: id! });
    return id as string;
  };
  const messagesAbout = (sessionId: string): Promise<number> =>
    house.operate(async ({ db }) => {
      const query = db.selectFrom("notifications").select("id");
      return (await query.where("subject", "like", `session/${sessionId}/%`).execute()).length;
    });
  let people = 0;
  const newPerson = async (): Promise<Somebody> => {
    const userId = `verified-${engine}-${++people}`;
    const phone = `+4178${String(1_000_000 + people)}`;
    const human = person(userId, { phone: { phone, isVerified: true } });
    await as("user")("CreateUser", { organizationId: cast.home.id, userId, human });
    await as("user")("AddOTPSMS", { userId });
    return { userId, phone };
  };
  const challenge = async ({ userId }: Somebody, ask = as("session")): Promise<string> => {
    const checks = { user: { userId } };
    const created = await ask("CreateSession", { checks, challenges: { otpSms: {} } });
    // What the caller could show is not there.
    expect(created.challenges ?? {}).toEqual({});
    return created.sessionId as string;
  };
  const tryCode = (sessionId: string, code: string, ask = as("session")) =>
    ask("SetSession", { sessionId, checks: { otpSms: { code } } });
  const openChallenge = (sessionId: string) =>
    house.operate(async ({ db }) => {
      const query = db.selectFrom("sessions").select("challenges").where("id", "=", sessionId);
      return (await query.executeTakeFirstOrThrow()).challenges.otpSms as GeneratedOtpChallenge;
    });
  /** What became of the messages to a number, one after the other; nobody reads the database for that. */
  const settled = (phone: string, nth = 0): Promise<Report> =>
    until("the message to be settled", () => {
      // No two people have numbers that end alike.
      const about = reports.filter(({ recipient }) => recipient === `***${phone.slice(-2)}`);
      return about.filter(({ outcome }) => outcome !== "deferred")[nth];
    });
  const events = (type: "session" | "user" | "notification", id: string) =>
    house.operate((opened) => streamOf(opened, type, id));
  const count = async ({ userId }: Somebody, type: string) =>
    (await events("user", userId)).filter((event) => event.type === type).length;

  test.each(protocolsOn(engine))("S-130, S-132, S-153: a code signs in, once, over %s", async (protocol) => {
    const ask = as("session", protocol);
    const mia = await newPerson();
    const sessionId = await challenge(mia, ask);
    const { notificationId } = await settled(mia.phone);
    const code = twilio.codeFor(mia.phone)!;
    const verificationId = twilio.idFor(mia.phone)!;
    await tryCode(sessionId, code, ask);
    expect(await count(mia, SUCCEEDED)).toBe(1);
    const happened = (await events("session", sessionId)).filter(({ type }) => type.includes("otp.sms"));
    const challengeId = expect.stringMatching(/^[0-9a-f-]{36}$/);
    const expiresAt = new Date(now.getTime() + 600_000).toISOString();
    expect(happened.map(({ type, payload }) => [type, payload])).toEqual([
      [
        "session.otp.sms.challenged",
        { code: null, generatorId: providerId, challengeId, expiresAt, codeReturned: false },
      ],
      ["session.otp.sms.sent", { verificationId }],
      ["session.otp.sms.checked", { checkedAt: now.toISOString() }],
    ]);
    const sent = (await events("notification", notificationId)).at(-1)!;
    expect(sent).toMatchObject({ type: "notification.sent", createdAt: happened[1]!.createdAt });
    expect(await refusal(tryCode(sessionId, code, ask))).toEqual(noChallenge);
    expect(twilio.questions(verificationId)).toBe(1);
  });

  test.each(protocolsOn(engine))(
    "S-130: a code to be returned is an empty text, and nothing is sent, over %s",
    async (protocol) => {
      const mia = await newPerson();
      const ask = as("session", protocol);
      const created = await ask("CreateSession", {
        checks: { user: { userId: mia.userId } },
        challenges: { otpSms: { returnCode: true } },
      });
      // JSON of a set field that is empty; gRPC and the like have it too.
      expect(created.challenges).toEqual({ otpSms: "" });
      const sessionId = created.sessionId as string;
      expect(await messagesAbout(sessionId)).toBe(0);
      expect(await openChallenge(sessionId)).toMatchObject({ code: null, generatorId: providerId });
      expect(await refusal(tryCode(sessionId, "400001", ask))).toEqual(noChallenge);
      expect(await count(mia, FAILED)).toBe(0);
    },
  );

  test("a wrong code is a failed attempt, and so is one no verification could have; the right one is good still", async () => {
    const mia = await newPerson();
    const sessionId = await challenge(mia);
    await settled(mia.phone);
    expect(await refusal(tryCode(sessionId, "000000"))).toEqual(wrongCode);
    expect(await refusal(tryCode(sessionId, "1"))).toEqual(wrongCode);
    expect(await count(mia, FAILED)).toBe(2);
    await tryCode(sessionId, twilio.codeFor(mia.phone)!);
    expect(await count(mia, SUCCEEDED)).toBe(1);
  });

  test("a code that was right elsewhere, or is forgotten, has expired: a failed attempt", async () => {
    const mia = await newPerson();
    const [one, two] = [await challenge(mia), await challenge(mia)];
    // One number, one verification at a time.
    await settled(mia.phone, 1);
    expect((await openChallenge(one)).verificationId).toBe((await openChallenge(two)).verificationId);
    const code = twilio.codeFor(mia.phone)!;
    await tryCode(one, code);
    expect(await refusal(tryCode(two, code))).toEqual(expired);
    expect(await count(mia, FAILED)).toBe(1);
    const three = await challenge(mia);
    await settled(mia.phone, 2);
    const forgotten = twilio.codeFor(mia.phone)!;
    twilio.forget();
    expect(await refusal(tryCode(three, forgotten))).toEqual(expired);
    expect(await count(mia, FAILED)).toBe(2);
  });

  test("after ten minutes nobody is asked", async () => {
    const mia = await newPerson();
    const sessionId = await challenge(mia);
    await settled(mia.phone);
    const verificationId = twilio.idFor(mia.phone)!;
    now = new Date(now.getTime() + 600_001);
    expect(await refusal(tryCode(sessionId, twilio.codeFor(mia.phone)!))).toEqual(expired);
    expect(twilio.questions(verificationId)).toBe(0);
  });

  test("Twilio is down: nothing is counted, and the code is good when it is back", async () => {
    const mia = await newPerson();
    const sessionId = await challenge(mia);
    await settled(mia.phone);
    const code = twilio.codeFor(mia.phone)!;
    twilio.isUp = false;
    expect(await refusal(tryCode(sessionId, code))).toEqual(unavailable);
    expect(await refusal(tryCode(sessionId, "000000"))).toEqual(unavailable);
    expect(await count(mia, FAILED)).toBe(0);
    twilio.isUp = true;
    await tryCode(sessionId, code);
  });

  test("Twilio is down when the code is to be sent: until then there is none to check, and nothing is counted", async () => {
    const mia = await newPerson();
    twilio.isUp = false;
    const sessionId = await challenge(mia);
    expect(await refusal(tryCode(sessionId, "000000"))).toEqual(noChallenge);
    expect(await count(mia, FAILED)).toBe(0);
    twilio.isUp = true;
    await settled(mia.phone);
    await tryCode(sessionId, twilio.codeFor(mia.phone)!);
  });

  test("a newer challenge replaces the older one, whose message says nothing to it", async () => {
    const mia = await newPerson();
    const renewed = Promise.withResolvers<void>();
    let asked = 0;
    // The first code is under way when the second is asked for.
    twilio.beforeSending = async () => {
      if (++asked === 1) await renewed.promise;
    };
    const sessionId = await challenge(mia);
    await until("the first to be under way", () => asked === 1);
    await as("session")("SetSession", { sessionId, challenges: { otpSms: {} } });
    const newer = await settled(mia.phone);
    renewed.resolve();
    const older = await settled(mia.phone, 1);
    expect([newer.outcome, older.outcome]).toEqual(["sent", "sent"]);
    await tryCode(sessionId, twilio.codeFor(mia.phone)!);
    const happened = (await events("session", sessionId)).filter(({ type }) => type.includes(".sms."));
    expect(happened.map(({ type }) => type.replace("session.otp.sms.", ""))).toEqual([
      "challenged",
      "challenged",
      "sent",
      "checked",
    ]);
  });

  test("an older message that was not sent yet is dropped", async () => {
    const mia = await newPerson();
    twilio.isUp = false;
    const sessionId = await challenge(mia);
    await as("session")("SetSession", { sessionId, challenges: { otpSms: {} } });
    expect(await settled(mia.phone)).toMatchObject({
      outcome: "dropped",
      reason: "replaced by a newer one",
    });
    twilio.isUp = true;
    expect((await settled(mia.phone, 1)).outcome).toBe("sent");
  });

  test("a check that loses a race over its session is decided again, and Twilio is not asked again", async () => {
    const mia = await newPerson();
    const sessionId = await challenge(mia);
    await settled(mia.phone);
    const verificationId = twilio.idFor(mia.phone)!;
    twilio.beforeAnswering = async () => {
      await as("session")("SetSession", { sessionId, metadata: { meanwhile: btoa("changed") } });
    };
    await tryCode(sessionId, twilio.codeFor(mia.phone)!);
    expect(twilio.questions(verificationId)).toBe(1);
    expect([await count(mia, SUCCEEDED), await count(mia, FAILED)]).toEqual([1, 0]);
  });

  test("twenty right codes at once: one passes, and Twilio is asked once", async () => {
    const mia = await newPerson();
    const sessionId = await challenge(mia);
    await settled(mia.phone);
    const verificationId = twilio.idFor(mia.phone)!;
    const code = twilio.codeFor(mia.phone)!;
    // Changes to the session that the checks lose races against.
    const distractions = Array.from({ length: 20 }, (_, nth) =>
      as("session")("SetSession", { sessionId, metadata: { nth: btoa(String(nth)) } }),
    );
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () =>
        tryCode(sessionId, code).then(
          () => "passed",
          (error: Error) => error.message,
        ),
      ),
    );
    await Promise.all(distractions);
    expect(outcomes.filter((outcome) => outcome === "passed")).toHaveLength(1);
    expect(await count(mia, SUCCEEDED)).toBe(1);
    expect(await count(mia, FAILED)).toBe(0);
    expect(twilio.questions(verificationId)).toBe(1);
  });

  test("a provider that sends no more still checks what it has sent; a removed one checks nothing", async () => {
    const [mia, leo] = [await newPerson(), await newPerson()];
    const [hers, his] = [await challenge(mia), await challenge(leo)];
    await settled(mia.phone);
    await settled(leo.phone);
    await as("admin")("DeactivateSMSProvider", { id: providerId });
    await tryCode(hers, twilio.codeFor(mia.phone)!);
    await as("admin")("RemoveSMSProvider", { id: providerId });
    expect(await refusal(tryCode(his, twilio.codeFor(leo.phone)!))).toEqual(expired);
    expect(await count(leo, FAILED)).toBe(1);
  });

  test.each(["deactivated", "replaced"])(
    "a code whose provider was %s before it was sent is dropped",
    async (how) => {
      const mia = await newPerson();
      twilio.isUp = false;
      await challenge(mia);
      if (how === "replaced") await verifyService();
      else await as("admin")("DeactivateSMSProvider", { id: providerId });
      twilio.isUp = true;
      expect(await settled(mia.phone)).toMatchObject({
        outcome: "dropped",
        reason: "its provider is no longer active",
      });
      expect(twilio.codeFor(mia.phone)).toBeUndefined();
    },
  );

  test("codes of ours go as texts where there is a number to send from, and fail otherwise", async () => {
    const ask = as("user");
    const texts = (phone: string) =>
      twilio.requests.filter(
        ({ path, body }) =>
          path === "/2010-04-01/Accounts/AC01/Messages.json" && new URLSearchParams(body).get("To") === phone,
      );
    const unsent = await newPerson();
    await ask("SetPhone", { userId: unsent.userId, phone: "+41785550091", sendCode: {} });
    expect(await settled("+41785550091")).toMatchObject({
      outcome: "failed",
      reason: "the provider has no number to send texts from",
    });
    await verifyService({ senderNumber: "+15005550006" });
    const sent = await newPerson();
    await ask("SetPhone", { userId: sent.userId, phone: "+41785550092", sendCode: {} });
    expect((await settled("+41785550092")).outcome).toBe("sent");
    expect([texts("+41785550091").length, texts("+41785550092").length]).toEqual([0, 1]);
  });
});
