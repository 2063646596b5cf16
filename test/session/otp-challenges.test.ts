import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openText } from "../../src/crypto/sealed-text.ts";
import { createSession } from "../../src/session/create-session.ts";
import { deleteSession } from "../../src/session/delete-session.ts";
import { decideOtpSent, otpSentChanges } from "../../src/session/otp-sent.ts";
import { initialSession } from "../../src/session/session.ts";
import { createUser } from "../../src/user/create-user.ts";
import { addOtpFactor, removeOtpFactor } from "../../src/user/otp-factors.ts";
import { updateUser } from "../../src/user/update-user.ts";
import { engines } from "../support/databases.ts";
import { givenSession, START } from "../support/given.ts";
import { changeSessionSettings, defaultOrganization, human, owner } from "../user/house.ts";
import {
  addPerson,
  openRooms,
  outcomeOf,
  type Person,
  PHONE,
  pass,
  type Rooms,
  sessionOf,
  set,
} from "./rooms.ts";

const slug = (name: string) => expect.objectContaining({ slug: name });
const sealed = "sealed";
const expiresAt = START.toISOString();

describe("news of a code that was sent", () => {
  const waiting = givenSession(
    { type: "session.otp.sms.challenged", payload: { code: sealed, expiresAt, codeReturned: false } },
    { type: "session.otp.email.challenged", payload: { code: sealed, expiresAt, returnCode: false } },
  );

  it.each([
    ["S-132", "otp_sms", { type: "session.otp.sms.sent", payload: {} }],
    ["S-145", "otp_email", { type: "session.otp.email.sent", payload: {} }],
  ] as const)("%s: %s is an event without anything of the code", (_, part, event) => {
    expect(decideOtpSent(waiting, part)).toEqual(event);
  });

  it("S-132: a code made elsewhere is sent with the id its maker knows it by", () => {
    const made = { code: null, generatorId: "twilio", challengeId: "one" };
    const session = givenSession({
      type: "session.otp.sms.challenged",
      payload: { ...made, expiresAt, codeReturned: false },
    });
    const sent = decideOtpSent(session, "otp_sms", "VE1");
    expect(sent).toEqual({ type: "session.otp.sms.sent", payload: { verificationId: "VE1" } });
    expect(session.challenges.otpSms).toEqual({ ...made, expiresAt });
  });

  it.each([
    ["S-131", "otp_sms", "session.otp_sms_sent_no_challenge"],
    ["S-144", "otp_email", "session.otp_email_sent_no_challenge"],
  ] as const)("%s: %s where no code is waited for is refused", (_, part, expected) => {
    const answered = givenSession(
      { type: "session.otp.sms.challenged", payload: { code: sealed, expiresAt, codeReturned: false } },
      { type: "session.otp.sms.checked", payload: { checkedAt: expiresAt } },
      { type: "session.otp.email.challenged", payload: { code: sealed, expiresAt, returnCode: false } },
      { type: "session.otp.email.checked", payload: { checkedAt: expiresAt } },
    );
    for (const session of [
      initialSession("s"),
      givenSession(),
      answered,
      { ...waiting, status: "terminated" as const },
    ]) {
      expect(() => decideOtpSent(session, part)).toThrow(slug(expected));
    }
  });
});

describe.each(engines)("codes by SMS and e-mail on %s", (engine) => {
  let rooms: Rooms;
  let mia: Person;
  beforeAll(async () => {
    rooms = await openRooms(engine, { providers: true });
    mia = await addPerson(rooms, "mia");
  });
  afterAll(() => rooms.close());

  const sessionRow = async (id: string) => (await rooms.sessions.find(id))!.session;
  const messages = (sessionId: string) =>
    rooms.db
      .selectFrom("notifications")
      .selectAll()
      .where("subject", "like", `session/${sessionId}/%`)
      .execute();
  const kinds = [
    {
      kind: "otpSms",
      part: "otp_sms",
      id: "sms",
      returned: { otpSms: { returnCode: true } },
      sent: { otpSms: { returnCode: false } },
    },
    {
      kind: "otpEmail",
      part: "otp_email",
      id: "email",
      returned: { otpEmail: { returnCode: true } },
      sent: { otpEmail: { returnCode: false } },
    },
  ] as const;

  describe.each(kinds)("$kind", ({ kind, part, id, returned, sent }) => {
    it("S-126, S-140: is returned where that is asked for, kept encrypted, and sent to nobody", async () => {
      const { sessionId } = await sessionOf(mia, rooms);
      const { challenges } = await set(rooms, sessionId, {}, returned);
      const code = challenges[kind]!;
      expect(challenges).toEqual({ [kind]: expect.stringMatching(/^\d{8}$/) });
      const open = (await sessionRow(sessionId)).challenges[kind]!;
      expect(new Date(open.expiresAt).getTime() - rooms.now.getTime()).toBe(300_000);
      expect(openText(rooms.encryptionKey, open.code!, `session/${sessionId}/${part}`)).toBe(code);
      expect(() => openText(rooms.encryptionKey, open.code!, `session/${mia.id}/${part}`)).toThrow();
      const events = await rooms.events.readStream("session", sessionId);
      const challenged = events.find(({ type }) => type === `session.otp.${id}.challenged`)!;
      expect(challenged.payload).toMatchObject({ [kind === "otpSms" ? "codeReturned" : "returnCode"]: true });
      expect(JSON.stringify(events)).not.toContain(code);
      expect(await messages(sessionId)).toEqual([]);
    });

    it("S-143: is sent to the last verified address or number, and not returned", async () => {
      const { sessionId } = await sessionOf(mia, rooms);
      const { challenges } = await set(rooms, sessionId, {}, sent);
      expect(challenges).toEqual({});
      const [message, ...more] = await messages(sessionId);
      expect(more).toEqual([]);
      const open = (await sessionRow(sessionId)).challenges[kind]!;
      expect(message).toMatchObject({
        channel: kind === "otpSms" ? "sms" : "email",
        kind: kind === "otpSms" ? "VerifySMSOTP" : "VerifyEmailOTP",
        subject: `session/${sessionId}/${part}`,
        recipient: kind === "otpSms" ? PHONE : "mia@example.com",
        expiresAt: new Date(open.expiresAt),
        content: {
          variables: {
            UserID: "mia",
            SessionID: sessionId,
            LoginName: "mia@example.com",
            DisplayName: "mia Example",
            PreferredLanguage: "",
          },
        },
      });
      const { code } = message!.content as { code: string };
      const text = openText(rooms.encryptionKey, code, `notification/${message!.id}/code`);
      expect(await outcomeOf(set(rooms, sessionId, { [kind]: text }))).toBe("ok");
    });

    it("S-131 to S-145: whoever sends it finds the session waiting until it was answered, and not thereafter", async () => {
      const { sessionId } = await sessionOf(mia, rooms);
      const changes = () => otpSentChanges(rooms, sessionId, part, "system");
      expect(await changes()).toEqual([]);
      expect(await otpSentChanges(rooms, "unknown", part, "system")).toEqual([]);
      const { challenges } = await set(rooms, sessionId, {}, returned);
      const [news] = await changes();
      await rooms.events.append([news!]);
      const events = await rooms.events.readStream("session", sessionId);
      expect(events.at(-1)).toMatchObject({ type: `session.otp.${id}.sent`, payload: {}, actorId: "system" });
      await set(rooms, sessionId, { [kind]: challenges[kind]! });
      expect(await changes()).toEqual([]);
      // Late news that was decided before: the sequence tells, and nothing of it is stored.
      await expect(rooms.events.append([news!])).rejects.toThrow();
      await set(rooms, sessionId, {}, returned);
      await deleteSession(rooms, owner, { sessionId });
      expect(await changes()).toEqual([]);
    });

    it("of five minutes is good for five minutes of the application's clock", async () => {
      const { sessionId } = await sessionOf(mia, rooms);
      const { challenges } = await set(rooms, sessionId, {}, returned);
      pass(rooms, 300.001);
      expect(await outcomeOf(set(rooms, sessionId, { [kind]: challenges[kind]! }))).toBe(
        "session.otp_expired",
      );
      pass(rooms, -0.001);
      expect(await outcomeOf(set(rooms, sessionId, { [kind]: challenges[kind]! }))).toBe("ok");
    });

    it("is another one each time, and of ten digits", async () => {
      const { sessionId } = await sessionOf(mia, rooms);
      const codes: string[] = [];
      for (let n = 0; n < 40; n++) codes.push((await set(rooms, sessionId, {}, returned)).challenges[kind]!);
      expect(new Set(codes).size).toBe(40);
      // 320 digits: one of the ten is missing once in 10^13 runs.
      expect([...new Set(codes.join(""))].sort().join("")).toBe("0123456789");
    });

    it("belongs to one session: the code of another is wrong", async () => {
      const [one, two] = [await sessionOf(mia, rooms), await sessionOf(mia, rooms)];
      const { challenges } = await set(rooms, one.sessionId, {}, returned);
      await set(rooms, two.sessionId, {}, returned);
      expect(await outcomeOf(set(rooms, two.sessionId, { [kind]: challenges[kind]! }))).toBe(
        "session.otp_invalid",
      );
      expect(await outcomeOf(set(rooms, one.sessionId, { [kind]: challenges[kind]! }))).toBe("ok");
    });

    it("cannot be answered in the request that asks for it", async () => {
      const checks = { user: { userId: mia.id }, [kind]: "12345678" };
      const created = createSession(rooms, owner, { checks, metadata: {}, challenges: returned });
      expect(await outcomeOf(created)).toBe("session.otp_no_challenge");
    });
  });

  it.each([
    ["S-124, S-127", { otpSms: { returnCode: true } }, "session.otp_sms_challenge_without_user"],
    ["S-124, S-127", { otpSms: { returnCode: false } }, "session.otp_sms_challenge_without_user"],
    ["S-141", { otpEmail: { returnCode: false } }, "session.otp_email_challenge_without_user"],
    ["S-141", { otpEmail: { returnCode: true } }, "session.otp_email_challenge_without_user"],
  ] as const)("%s: %j without a user is refused", async (_, challenges, expected) => {
    const created = createSession(rooms, owner, { checks: {}, metadata: {}, challenges });
    expect(await outcomeOf(created)).toBe(expected);
  });

  it.each([
    ["S-125", { otpSms: { returnCode: true } }, "session.otp_sms_challenge_not_ready"],
    ["S-142", { otpEmail: { returnCode: false } }, "session.otp_email_challenge_not_ready"],
    [
      "S-136",
      { otpEmail: { returnCode: false, urlTemplate: "https://x/{{.Code}}" } },
      "session.otp_email_challenge_not_ready",
    ],
  ] as const)(
    "%s: %j of a user who did not add them is refused, and nothing is stored",
    async (_, challenges, expected) => {
      const organizationId = await defaultOrganization(rooms);
      const { userId } = await createUser(rooms, owner, {
        organizationId,
        human: human(crypto.randomUUID()),
      });
      const { sessionId, details } = await sessionOf({ id: userId }, rooms);
      expect(await outcomeOf(set(rooms, sessionId, {}, challenges))).toBe(expected);
      expect((await sessionRow(sessionId)).sequence).toBe(details.sequence);
    },
  );

  it("a factor that was removed meanwhile makes no codes and takes none", async () => {
    const leo = await addPerson(rooms, `leo-${engine}`);
    const { sessionId } = await sessionOf(leo, rooms);
    const { challenges } = await set(rooms, sessionId, {}, { otpSms: { returnCode: true } });
    await changeSessionSettings(rooms, { onFactorRemoval: "none" });
    await removeOtpFactor(rooms, owner, leo.id, "otpSms");
    expect(await outcomeOf(set(rooms, sessionId, { otpSms: challenges.otpSms! }))).toBe(
      "session.otp_not_ready",
    );
    expect(await outcomeOf(set(rooms, sessionId, {}, { otpSms: { returnCode: true } }))).toBe(
      "session.otp_sms_challenge_not_ready",
    );
  });

  it("codes go on to the last verified address and number when there are newer ones", async () => {
    const zoe = await addPerson(rooms, `zoe-${engine}`);
    await updateUser(rooms, owner, {
      userId: zoe.id,
      metadata: [],
      human: {
        email: { text: "new@example.com", verification: "send" },
        phone: { text: "+41797654321", verification: "send" },
      },
    });
    const { sessionId } = await sessionOf(zoe, rooms);
    await set(rooms, sessionId, {}, { otpSms: { returnCode: false }, otpEmail: { returnCode: false } });
    expect((await messages(sessionId)).map(({ recipient }) => recipient).sort()).toEqual([
      PHONE,
      `${zoe.id}@example.com`,
    ]);
  });

  describe("the template of the link", () => {
    it.each([
      ["https://login.example.com/?code={{.Code}", "notification.url_template_malformed"],
      ["https://login.example.com/?code={{.Code | html}}", "notification.url_template_malformed"],
      ["https://login.example.com/?org={{.OrgID}}", "notification.url_template_variable_unknown"],
    ])("%s is refused before anything is looked at or stored", async (urlTemplate, expected) => {
      const challenges = { otpEmail: { returnCode: false, urlTemplate } };
      const { sessionId, details } = await sessionOf(mia, rooms);
      const { sequence } = (await rooms.users.find(mia.id))!;
      // Not even a wrong password beside it counts.
      expect(await outcomeOf(set(rooms, sessionId, { password: "wrong" }, challenges))).toBe(expected);
      const checks = { user: { userId: "no such user" } };
      expect(await outcomeOf(createSession(rooms, owner, { checks, metadata: {}, challenges }))).toBe(
        expected,
      );
      expect((await sessionRow(sessionId)).sequence).toBe(details.sequence);
      expect((await rooms.users.find(mia.id))!.sequence).toBe(sequence);
    });

    it("goes along with the message and into the event", async () => {
      const urlTemplate =
        "https://login.example.com/{{.UserID}}/{{.SessionID}}?c={{.Code}}&n={{.LoginName}}&d={{.DisplayName}}&l={{.PreferredLanguage}}";
      const { sessionId } = await sessionOf(mia, rooms);
      await set(rooms, sessionId, {}, { otpEmail: { returnCode: false, urlTemplate } });
      const [message] = await messages(sessionId);
      expect(message!.content).toMatchObject({ urlTemplate });
      const events = await rooms.events.readStream("session", sessionId);
      expect(events.find(({ type }) => type === "session.otp.email.challenged")!.payload).toMatchObject({
        urlTmpl: urlTemplate,
        returnCode: false,
      });
    });
  });

  it("a challenge that cannot be made takes the others and the checks of its request with it", async () => {
    const organizationId = await defaultOrganization(rooms);
    const phone = { text: PHONE, verification: "verified" as const };
    const { userId } = await createUser(rooms, owner, {
      organizationId,
      human: human(`half-${engine}`, { phone }),
    });
    await addOtpFactor(rooms, owner, userId, "otpSms");
    const { sessionId, details } = await sessionOf({ id: userId }, rooms);
    const both = { otpSms: { returnCode: false }, otpEmail: { returnCode: false } };
    expect(await outcomeOf(set(rooms, sessionId, {}, both))).toBe("session.otp_email_challenge_not_ready");
    expect((await sessionRow(sessionId)).sequence).toBe(details.sequence);
    expect(await messages(sessionId)).toEqual([]);
  });
});

describe("without a way out for messages", () => {
  it("a challenge is made all the same, and nothing is delivered", async () => {
    const rooms = await openRooms("pglite");
    const mia = await addPerson(rooms, "mia");
    const { sessionId } = await sessionOf(mia, rooms);
    const { token } = await set(
      rooms,
      sessionId,
      {},
      { otpSms: { returnCode: false }, otpEmail: { returnCode: false } },
    );
    expect(token).toBeDefined();
    expect(Object.keys((await rooms.sessions.find(sessionId))!.session.challenges).sort()).toEqual([
      "otpEmail",
      "otpSms",
    ]);
    await rooms.close();
  });
});
