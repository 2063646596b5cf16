import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import { idpIntentAggregate } from "../../src/idp/intent.ts";
import { notificationAggregate } from "../../src/notification/notification.ts";
import { projections } from "../../src/projections/projections.ts";
import { verifyProjections } from "../../src/projections/replay.ts";
import { deleteSession } from "../../src/session/delete-session.ts";
import { change } from "../../src/storage/aggregate.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { initialUser, userAggregate } from "../../src/user/user.ts";
import { until } from "../crash/poll.ts";
import { engines } from "../support/databases.ts";
import { dumpOf } from "../support/dump.ts";
import { everyUserEvent } from "../support/every-user-event.ts";
import { startHouse, userCheck } from "../support/fixtures.ts";
import { Secrets } from "../support/secrets.ts";
import { owner } from "../user/house.ts";
import {
  addSessions,
  type Background,
  holding,
  lifetime,
  ofUser,
  openBackground,
  pastExpiry,
  typesOf,
} from "./background.ts";

describe.each(engines)("erasure on %s", (engine) => {
  let background: Background;
  beforeAll(async () => {
    background = await openBackground(engine);
  });
  afterEach(async () => {
    expect((await verifyProjections(background.db, projections)).differences).toEqual([]);
  });
  afterAll(() => background.close());

  const dump = () => dumpOf({ db: background.db } as Parameters<typeof dumpOf>[0]);

  async function append(id: string, event: UserEvent): Promise<number> {
    const user = (await background.users.find(id)) ?? initialUser(id);
    const changed = change(userAggregate, user, [event], "the operator");
    await background.events.append([changed]);
    return changed.state.sessionEpoch;
  }

  /** A user with everything a user can have, in the events, in sessions of every epoch, in messages and walks. */
  async function live(id: string): Promise<{ personal: Secrets; sessions: string[] }> {
    const personal = new Secrets();
    const text = (what: string) => {
      const secret = `${what} ${randomUUID()}`;
      personal.remember(what, secret);
      return secret;
    };
    const sessions: string[] = [];
    const events = everyUserEvent("home", text);
    let account = { idpId: "", externalUserId: "" };
    for (const event of events) {
      const epoch = await append(id, event);
      if (event.type === "user.human.externalidp.added")
        account = { idpId: event.payload.idpConfigId, externalUserId: event.payload.userId };
      if (!["user.human.added", "user.unlocked", "user.sessions.ended"].includes(event.type)) continue;
      const agent = { fingerprint_id: text("fingerprint"), ip: "192.0.2.77", description: text("browser") };
      const history = (index: number) => [
        {
          ...ofUser(id, epoch),
          payload: { ...ofUser(id, epoch).payload, preferredLanguage: text("language") },
        },
        {
          type: "session.metadata.set" as const,
          payload: { metadata: { [text("key")]: btoa(text("value")) } },
        },
        ...(index === 1 ? [lifetime()] : []),
      ];
      sessions.push(
        ...(await addSessions(background, 3, history as Parameters<typeof addSessions>[2], {
          user_agent: { ...agent, header: { [text("header")]: [text("header's value")] } },
        })),
      );
      await pastExpiry(background, sessions.at(-2)!);
    }
    const message = (subject: string, about: object) =>
      change(
        notificationAggregate,
        notificationAggregate.initialState(uuidV7()),
        [
          {
            type: "notification.added",
            payload: {
              channel: "email",
              kind: "PasswordReset",
              subject,
              recipient: text("recipient"),
              content: {
                about,
                code: text("code in a message"),
                variables: { FirstName: text("name in a message") },
              },
              expiresAt: new Date().toISOString(),
            },
          },
          { type: "notification.sent", payload: {} },
        ],
        "tester",
      );
    const walk = (idpUserId: string, userId?: string) =>
      change(
        idpIntentAggregate,
        idpIntentAggregate.initialState(uuidV7()),
        [
          {
            type: "idpintent.started",
            payload: {
              idpId: account.idpId,
              successURL: "https://app.example/ok",
              failureURL: "https://app.example/no",
              secrets: text("secrets of a walk"),
              expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
            },
          },
          {
            type: "idpintent.succeeded",
            payload: {
              idpUser: { email: text("address at a provider") },
              idpUserId,
              idpUserName: text("name at a provider"),
              tokens: text("tokens"),
              expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
              ...(userId === undefined ? {} : { userId }),
            },
          },
        ],
        "tester",
      );
    await background.events.append([
      message(`user/${id}/password_code`, { type: "user", id, part: "password_code" }),
      message(`session/${sessions[0]}/otp_email`, { type: "session", id: sessions[0], part: "otp_email" }),
      walk(account.externalUserId),
      walk(text("account by which the user came"), id),
    ]);
    return { personal, sessions };
  }

  it("leaves nothing personal of a removed user, anywhere, and the same rows", {
    timeout: 60_000,
  }, async () => {
    const id = `mia ${engine}`;
    const { personal, sessions } = await live(id);
    await background.run();
    expect(personal.namesFoundIn(await dump())).toEqual(personal.names);
    await append(id, { type: "user.removed", payload: {} });
    const before = await background.users.find(id);
    const done = await background.run();
    expect(done["erase users"]).toBeGreaterThan(60);
    const after = await dump();
    expect(personal.namesFoundIn(after)).toEqual([]);
    expect(after.join("\n")).not.toContain("192.0.2.77");
    expect(await background.users.find(id)).toEqual(before);
    for (const session of sessions) {
      const stream = await background.events.readStream("session", session);
      expect(typesOf(stream)).toEqual(["session.summarized"]);
    }
    const { session } = (await background.sessions.find(sessions[0]!))!;
    expect(session).toMatchObject({ userId: id, status: "terminated", ending: { reason: "user_locked" } });
    expect(session.endedAt).not.toBeNull();
    expect(await background.run()).toEqual({});
  });

  it("leaves a later user of the same id, and one whose id goes on where this one's ends, as they are", {
    timeout: 90_000,
  }, async () => {
    const id = `ada ${engine}`;
    await live(id);
    await append(id, { type: "user.removed", payload: { organizationRemoved: true } });
    const other = await live(`${id}/email_code`);
    const later = await live(id);
    const rows = async () => (await dump()).filter((row) => !row.startsWith("user_endings"));
    await background.run();
    const texts = await rows();
    expect(other.personal.namesFoundIn(texts)).toEqual(other.personal.names);
    expect(later.personal.namesFoundIn(texts)).toEqual(later.personal.names);
    await append(id, { type: "user.removed", payload: {} });
    await background.run();
    expect(later.personal.namesFoundIn(await rows())).toEqual([]);
    expect(other.personal.namesFoundIn(await rows())).toEqual(other.personal.names);
  });

  it("takes a stream and sessions that are long in steps, and several servers take turns", {
    timeout: 60_000,
  }, async () => {
    const id = `tom ${engine}`;
    const personal = new Secrets();
    await append(id, everyUserEvent("home", (what) => what).find(({ type }) => type === "user.human.added")!);
    const user = (await background.users.find(id))!;
    const events = Array.from({ length: 1_200 }, (_, index): UserEvent => {
      const value = `remembered ${index} ${randomUUID()}`;
      if (index % 400 === 0) personal.remember("value", value);
      return { type: "user.metadata.set", payload: { key: "key", value } };
    });
    await background.events.append([change(userAggregate, user, events, "tester")]);
    const sessions = await addSessions(background, 250, () => [ofUser(id)], {
      user_agent: { description: "a browser of tom's" },
    });
    await append(id, { type: "user.removed", payload: {} });
    const workers = [background.another(), background.another()];
    await Promise.all(workers.map(({ worker }) => worker.runToEnd()));
    const texts = await dump();
    expect(personal.namesFoundIn(texts)).toEqual([]);
    expect(texts.join("\n")).not.toContain("a browser of tom's");
    expect(typesOf(await background.events.readStream("session", sessions.at(-1)!))).toEqual([
      "session.summarized",
    ]);
  });

  it("answers who ends an erased session once more as before", async () => {
    const id = `leo ${engine}`;
    await append(id, everyUserEvent("home", (what) => what).find(({ type }) => type === "user.human.added")!);
    const [session] = await addSessions(background, 1, () => [ofUser(id)], {
      user_agent: { ip: "192.0.2.78" },
    });
    const details = await deleteSession(background, owner, { sessionId: session! });
    await append(id, { type: "user.removed", payload: {} });
    await background.run();
    expect(await deleteSession(background, owner, { sessionId: session! })).toEqual(details);
  });

  it("waits for the sessions' endings", async () => {
    const id = `ivo ${engine}`;
    await append(id, everyUserEvent("home", (what) => what).find(({ type }) => type === "user.human.added")!);
    const [session] = await addSessions(background, 1, () => [ofUser(id)], {
      user_agent: { ip: "192.0.2.79" },
    });
    await append(id, { type: "user.removed", payload: {} });
    const release = engine === "postgres" ? await holding(background.db, [session!]) : async () => {};
    if (engine === "postgres") {
      const totals = await background.another().worker.runToEnd({ patienceMs: 0 });
      expect(totals["erase users"]).toMatchObject({ done: 0, held: true });
    }
    await release();
    await background.run();
    const { session: row } = (await background.sessions.find(session!))!;
    expect(row).toMatchObject({ ending: { reason: "user_deleted" }, userAgent: null });
  });
});

describe.each(engines)("a server on %s", (engine) => {
  it("erases a user that is deleted without being asked", async () => {
    const house = await startHouse(engine);
    const client = house.as(house.cast.loginClient);
    const description = `browser ${randomUUID()}`;
    await client.createSession({ checks: userCheck(house.cast.tim), userAgent: { description } });
    const { token } = house.cast.owner;
    const answer = await fetch(`${house.url}/v2/users/${house.cast.tim.id}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(200);
    await until("the erasure", async () =>
      (await (await fetch(`${house.url}/debug/metrics`)).text()).includes("gatehouse_users_erased_total 1"),
    );
    const texts = (await house.operate(dumpOf)).join("\n");
    expect(texts).not.toContain(description);
    expect(texts).not.toContain(house.cast.tim.loginName);
    expect(texts).toContain(house.cast.tim.id);
    await house.close();
  });
});
