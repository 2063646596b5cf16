import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { uuidV7 } from "../../../src/crypto/random-ids.ts";
import { projections } from "../../../src/projections/projections.ts";
import type { SessionEvent } from "../../../src/session/events.ts";
import { sessionAggregate } from "../../../src/session/session.ts";
import { type Change, change, type Recorded } from "../../../src/storage/aggregate.ts";
import { EventRepository } from "../../../src/storage/event-repository.ts";
import type { SessionsAffected } from "../../../src/storage/instance-settings.ts";
import type { SessionFactor } from "../../../src/storage/session-filter.ts";
import { SessionRepository } from "../../../src/storage/session-repository.ts";
import type { UserEvent } from "../../../src/user/events.ts";
import { initialUser, userAggregate } from "../../../src/user/user.ts";
import { importedHash, PASSWORD } from "../../crash/people.ts";
import { until } from "../../crash/poll.ts";
import { refusalOf } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import {
  changeSessionSettings,
  type House,
  startHouse,
  streamOf,
  userCheck,
} from "../../support/fixtures.ts";
import { asking, type Call } from "./wire.ts";

const checkedAt = new Date().toISOString();
const hashedPassword = { hash: importedHash(2) };
const newPassword = { password: "Battery-Staple-2" };
const registered = (prefix: "user.human.passwordless.token" | "user.human.mfa.u2f.token", id: string) => [
  {
    type: `${prefix}.added`,
    payload: {
      webAuthNTokenId: id,
      challenge: "c",
      rpID: "localhost",
      expiresAt: checkedAt,
      registeredBy: "x",
    },
  },
  {
    type: `${prefix}.verified`,
    payload: {
      webAuthNTokenId: id,
      keyId: `key of ${id}`,
      publicKey: "p",
      attestationType: "none",
      aaguid: "",
      signCount: 0,
      webAuthNTokenName: "",
      transports: [],
      backupEligible: false,
      backedUp: false,
    },
  },
];

/** Somebody with everything that can be taken away. */
const personWithAll = (organizationId: string, id: string): UserEvent[] =>
  [
    {
      type: "user.human.added",
      payload: {
        organizationId,
        userName: id,
        firstName: "Ada",
        lastName: "Example",
        displayName: "Ada Example",
        email: `${id}@acme.example`,
        phone: "+41791234567",
        encodedHash: importedHash(1),
      },
    },
    { type: "user.human.email.verified", payload: {} },
    { type: "user.human.phone.verified", payload: {} },
    { type: "user.human.mfa.otp.added", payload: { otpSecret: "sealed" } },
    { type: "user.human.mfa.otp.verified", payload: {} },
    { type: "user.human.mfa.otp.sms.added", payload: {} },
    { type: "user.human.mfa.otp.email.added", payload: {} },
    { type: "user.human.mfa.recoverycode.added", payload: { codes: ["digest"] } },
    ...registered("user.human.passwordless.token", "passkey"),
    ...registered("user.human.mfa.u2f.token", "u2f"),
    {
      type: "user.human.externalidp.added",
      payload: { idpConfigId: "google", userId: id, displayName: "Ada" },
    },
  ] as UserEvent[];

/** Whatever can be proven, with one credential. */
const provenWith = (credentialId: string): SessionEvent[] => [
  { type: "session.password.checked", payload: { checkedAt, passwordEpoch: 0 } },
  { type: "session.intent.checked", payload: { checkedAt, idpId: "google" } },
  { type: "session.webAuthN.checked", payload: { checkedAt, credentialId } },
  { type: "session.totp.checked", payload: { checkedAt } },
  { type: "session.otp.sms.checked", payload: { checkedAt } },
  { type: "session.otp.email.checked", payload: { checkedAt } },
  { type: "session.recoveryCode.checked", payload: { checkedAt } },
];
const all = ["password", "intent", "webAuthN", "totp", "otpSms", "otpEmail", "recoveryCode"] as const;

type Act = {
  what: string;
  lost: SessionFactor;
  /** The credential the session was proven with. */
  credential?: string;
  ofWhom?: "administrator";
  do: (ask: Call, userId: string, owner: Call) => Promise<unknown>;
};

const acts: Act[] = [
  {
    what: "SetPassword by the current one",
    lost: "password",
    do: (ask, userId) => ask("SetPassword", { userId, newPassword, currentPassword: PASSWORD }),
  },
  {
    what: "SetPassword by a code",
    lost: "password",
    do: async (ask, userId, owner) => {
      const { verificationCode } = await owner("PasswordReset", { userId, returnCode: {} });
      return ask("SetPassword", { userId, newPassword, verificationCode: verificationCode! });
    },
  },
  {
    what: "SetPassword by permission",
    lost: "password",
    ofWhom: "administrator",
    do: (ask, userId) => ask("SetPassword", { userId, newPassword }),
  },
  {
    what: "UpdateHumanUser with a password",
    lost: "password",
    do: (ask, userId) =>
      ask("UpdateHumanUser", { userId, password: { hashedPassword, currentPassword: PASSWORD } }),
  },
  {
    what: "UpdateUser with a password",
    lost: "password",
    do: (ask, userId) =>
      ask("UpdateUser", { userId, human: { password: { hashedPassword, currentPassword: PASSWORD } } }),
  },
  { what: "RemoveTOTP", lost: "totp", do: (ask, userId) => ask("RemoveTOTP", { userId }) },
  { what: "RemoveOTPSMS", lost: "otpSms", do: (ask, userId) => ask("RemoveOTPSMS", { userId }) },
  { what: "RemovePhone", lost: "otpSms", do: (ask, userId) => ask("RemovePhone", { userId }) },
  {
    what: "UpdateHumanUser without the number",
    lost: "otpSms",
    do: (ask, userId) => ask("UpdateHumanUser", { userId, phone: { phone: "" } }),
  },
  { what: "RemoveOTPEmail", lost: "otpEmail", do: (ask, userId) => ask("RemoveOTPEmail", { userId }) },
  {
    what: "RemoveU2F",
    lost: "webAuthN",
    credential: "u2f",
    do: (ask, userId) => ask("RemoveU2F", { userId, u2fId: "u2f" }),
  },
  {
    what: "RemovePasskey",
    lost: "webAuthN",
    do: (ask, userId) => ask("RemovePasskey", { userId, passkeyId: "passkey" }),
  },
  {
    what: "RemoveRecoveryCodes",
    lost: "recoveryCode",
    do: (ask, userId) => ask("RemoveRecoveryCodes", { userId }),
  },
  {
    what: "RemoveIDPLink",
    lost: "intent",
    do: (ask, userId) => ask("RemoveIDPLink", { userId, idpId: "google", linkedUserId: userId }),
  },
];

type By = "the user" | "an administrator";
const settings: SessionsAffected[] = ["others", "all", "none"];
const cases = acts.flatMap((act) =>
  (act.ofWhom ? ["an administrator" as const] : ["the user" as const, "an administrator" as const]).map(
    (by): [what: string, by: By, act: Act] => [act.what, by, act],
  ),
);

type Session = { id: string; token: string };
/** One act's person, the session it is done with, and the person's others. */
type Scene = { userId: string; own: Session; others: Session[] };

describe.each(engines)("what acts on users do to sessions on %s", (engine) => {
  let house: House;
  let owner: Call;
  const scenes = new Map<string, Scene>();

  beforeAll(async () => {
    house = await startHouse(engine);
    owner = asking(house, house.cast.owner);
    const wanted = settings.flatMap((setting) => cases.map(([what, by]) => `${setting} ${what} ${by}`));
    const userIds = wanted.map(() => uuidV7());
    await house.operate(async ({ db }) => {
      const people = userIds.map((id) =>
        change(userAggregate, initialUser(id), personWithAll(house.cast.home.id, id), "the operator"),
      );
      await new EventRepository(db, projections).append(people);
    });
    const login = house.as(house.cast.loginClient);
    const begin = async (id: string): Promise<Session> => {
      const { sessionId, sessionToken } = await login.createSession({ checks: userCheck({ id }) });
      return { id: sessionId, token: sessionToken };
    };
    for (const [index, name] of wanted.entries()) {
      const userId = userIds[index]!;
      const [own, ...others] = await Promise.all([begin(userId), begin(userId), begin(userId)]);
      scenes.set(name, { userId, own: own!, others });
    }
    await house.operate(async ({ db }) => {
      const sessions = new SessionRepository(db);
      const proven: Change[] = [];
      for (const [name, { own }] of scenes) {
        const act = cases.find(([what, by]) => name.endsWith(`${what} ${by}`))![2];
        const { session } = (await sessions.find(own.id))!;
        proven.push(
          change(sessionAggregate, session, provenWith(act.credential ?? "passkey"), "the operator"),
        );
      }
      await new EventRepository(db, projections).append(proven);
    });
  });
  afterAll(() => house.close());

  const read = ({ id }: Session) => house.as(house.cast.owner).getSession({ sessionId: id });
  const expectOver = async (session: Session) => {
    expect(await refusalOf(read(session))).toMatchObject({ id: "QUERY-SFeaa" });
    expect(await refusalOf(house.as(session).getSession({ sessionId: session.id }))).toMatchObject({
      id: "QUERY-SFeaa",
    });
  };
  const factorsOf = async (session: Session) => {
    // As JSON: one of them is newer than the client.
    const answer = await fetch(`${house.url}/v2/sessions/${session.id}`, {
      headers: { authorization: `Bearer ${house.cast.owner.token}` },
    });
    const { factors } = ((await answer.json()) as { session: { factors: JsonObject } }).session;
    return all.filter((factor) => factor in factors);
  };
  const written = async () => {
    const counts = await (await fetch(`${house.url}/debug/metrics`)).text();
    return counts
      .split("\n")
      .filter((line) => line.startsWith("gatehouse_endings_written_total{"))
      .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  };

  describe.each(settings)("where the settings say: %s", (setting) => {
    let before = 0;
    let expected = 0;
    beforeAll(async () => {
      await house.operate((database) =>
        changeSessionSettings(database, { onPasswordChange: setting, onFactorRemoval: setting }),
      );
      before = await written();
    });

    test.each(cases)("%s by %s", async (what, by, act) => {
      const { userId, own, others } = scenes.get(`${setting} ${what} ${by}`)!;
      const left = all.filter((factor) => factor !== act.lost);
      await act.do(by === "the user" ? asking(house, own) : owner, userId, owner);

      const isKept = setting === "none" || (setting === "others" && by === "the user");
      if (isKept) {
        // The old password counts nowhere; everything else is dropped from the session it was done with only.
        const isUntrue = by === "the user" || act.lost === "password";
        expect(await factorsOf(own)).toEqual(isUntrue ? left : all);
        expect((await asking(house, own)("GetUserByID", { userId })).user).toMatchObject({ userId });
      } else {
        expected += 1;
        await expectOver(own);
      }
      for (const other of others) {
        if (setting === "none") await read(other);
        else {
          expected += 1;
          await expectOver(other);
        }
      }
      const listed = await house.as(house.cast.owner).listSessions({
        queries: [{ query: { case: "userIdQuery", value: { id: userId } } }],
      });
      expect(listed.sessions).toHaveLength(setting === "none" ? 3 : isKept ? 1 : 0);
    });

    test("every session that ended has one event that says why, and every one that went on says with what", async () => {
      await until("the endings to be written down", async () => (await written()) - before >= expected);
      const streams = new Map<string, Recorded[]>();
      await house.operate(async (database) => {
        for (const [what, by] of cases) {
          const { userId, own, others } = scenes.get(`${setting} ${what} ${by}`)!;
          streams.set(userId, await streamOf(database, "user", userId));
          for (const { id } of [own, ...others]) streams.set(id, await streamOf(database, "session", id));
        }
      });
      for (const [what, by, act] of cases) {
        const { userId, own, others } = scenes.get(`${setting} ${what} ${by}`)!;
        const actorId = by === "the user" ? userId : house.cast.owner.id;
        const reason = act.lost === "password" ? "password_changed" : "factor_removed";
        const user = streams.get(userId)!;
        const ended = user.filter(({ type }) => type === "user.sessions.ended");
        const goesOn = by === "the user" && setting !== "all";
        if (setting === "none") expect(ended).toEqual([]);
        else {
          // Right after the act's own, in the same append.
          expect(ended).toEqual([user.at(-1)]);
          expect(user.at(-2)!.createdAt).toEqual(ended[0]!.createdAt);
          const payload = goesOn ? { reason, except: own.id } : { reason };
          expect(ended[0]).toMatchObject({ payload, actorId });
        }
        const [keptEvents, endings] = ["session.kept", "session.terminated"].map((type) =>
          [own, ...others].map(({ id }) => streams.get(id)!.filter((event) => event.type === type)),
        );
        const kept = {
          payload: { userEpoch: setting === "none" ? 0 : 1, dropped: [act.lost] },
          actorId,
        };
        expect(keptEvents).toMatchObject([goesOn ? [kept] : [], [], []]);
        const terminated = { payload: { reason, endedAt: expect.any(String) }, actorId };
        const isOver = [!goesOn && setting !== "none", setting !== "none", setting !== "none"];
        expect(endings).toMatchObject(isOver.map((over) => (over ? [terminated] : [])));
      }
    });
  });
});

describe("a request that both changes the password and takes the number away", () => {
  let house: House;
  beforeAll(async () => {
    house = await startHouse("pglite");
  });
  afterAll(() => house.close());

  test("ends the others once, and the one it was done with has lost both", async () => {
    const { cast } = house;
    const userId = uuidV7();
    await house.operate(async ({ db }) => {
      const person = change(userAggregate, initialUser(userId), personWithAll(cast.home.id, userId), "x");
      await new EventRepository(db, projections).append([person]);
    });
    const owner = asking(house, cast.owner);
    await owner("RemoveTOTP", { userId });
    const login = house.as(cast.loginClient);
    const { sessionId, sessionToken } = await login.createSession({ checks: userCheck({ id: userId }) });
    await house.operate(async ({ db }) => {
      const { session } = (await new SessionRepository(db).find(sessionId))!;
      const proven = change(sessionAggregate, session, provenWith("passkey"), "the operator");
      await new EventRepository(db, projections).append([proven]);
    });
    const request: JsonObject = {
      userId,
      phone: { phone: "" },
      password: { hashedPassword, currentPassword: PASSWORD },
    };
    await asking(house, { token: sessionToken })("UpdateHumanUser", request);
    const [user, session] = await house.operate(async (database) => [
      await streamOf(database, "user", userId),
      await streamOf(database, "session", sessionId),
    ]);
    expect(user!.filter(({ type }) => type === "user.sessions.ended").map(({ payload }) => payload)).toEqual([
      { reason: "factor_removed" },
      { reason: "password_changed", except: sessionId },
    ]);
    expect(session!.at(-1)).toMatchObject({
      type: "session.kept",
      payload: { userEpoch: 2, dropped: ["otpSms", "password"] },
    });
  });
});
