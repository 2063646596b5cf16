import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { DeliveryWorker } from "../../src/notification/delivery-worker.ts";
import { until } from "../crash/poll.ts";
import { type HttpReceiver, openReceiver, type Replies } from "../notify/http-receiver.ts";
import { openMailServer } from "../notify/mail-server.ts";
import { engines } from "../support/databases.ts";
import { openPostRoom, type PostRoom } from "./post-room.ts";

const HOUR_MS = 3_600_000;

describe.each(engines)("messages on %s", (engine) => {
  let receiver: HttpReceiver;
  let room: PostRoom;
  let reply: Replies;
  beforeAll(async () => {
    receiver = await openReceiver((request, count) => reply(request, count));
    const webhook = { id: "w", description: "", endpoint: receiver.url, signingKey: "k" };
    room = await openPostRoom(engine, { email: { type: "http", webhook } });
  });
  beforeEach(() => {
    reply = () => ({ status: 200 });
    room.clock.ahead = 0;
    room.lines.length = 0;
  });
  afterAll(async () => {
    await room.close();
    await receiver.close();
  });

  const sentTo = (userId: string) =>
    receiver.requests
      .map(({ body }) => JSON.parse(body))
      .filter(({ contextInfo }) => contextInfo.recipientEmailAddress === `${userId}@example.org`);
  /** Sends until this message is settled. */
  const settle = async (notificationId: string, worker: DeliveryWorker = room.worker()) => {
    worker.start();
    const row = await room.settled(notificationId);
    await worker.stop(10_000);
    return row;
  };

  test("a message is sent, and its user hears of it in the same append", async () => {
    const userId = await room.person("ada");
    const id = await room.reset(userId);
    expect(await settle(id)).toMatchObject({ status: "sent", attempts: 1, nextAttemptAt: null });
    expect(await room.history(id)).toEqual(["added", "attempted", "sent"]);
    expect(await room.userHistory(userId)).toEqual([
      "human.added",
      "human.password.code.added",
      "human.password.code.sent",
    ]);
    const [sent, heard] = [
      (await room.events.readStream("notification", id)).at(-1)!,
      (await room.events.readStream("user", userId)).at(-1)!,
    ];
    expect(heard.createdAt).toEqual(sent.createdAt);
    const [message] = sentTo(userId);
    expect(message.contextInfo.eventType).toBe("user.human.password.code.added");
    expect(message.templateData).toMatchObject({
      subject: "Set a new password (auth.example.com)",
      greeting: "Hello ada Example,",
      url: `https://app.example/${userId}?c=K7Q2ZD`,
    });
    expect(message.args).toEqual({
      code: "K7Q2ZD",
      otp: "K7Q2ZD",
      expiry: HOUR_MS * 1e6,
      domain: "auth.example.com",
      origin: "https://auth.example.com",
      userID: userId,
      orgID: "home",
      displayName: "ada Example",
    });
  });

  test("a provider that is down is asked again until it is back", async () => {
    const userId = await room.person("bea");
    const id = await room.reset(userId);
    reply = (_, count) => (count % 2 === 0 ? "hang up" : { status: 503 });
    const worker = room.worker();
    worker.start();
    await until("three attempts in vain", async () => (await room.repository.find(id))!.attempts >= 3);
    reply = () => ({ status: 200 });
    expect(await room.settled(id)).toMatchObject({ status: "sent", reason: null });
    await worker.stop(10_000);
    const history = await room.history(id);
    expect(history.slice(0, 5)).toEqual(["added", "attempted", "deferred", "attempted", "deferred"]);
    expect(history.slice(-2)).toEqual(["attempted", "sent"]);
    const delivered = sentTo(userId).map(({ args }) => args.code);
    expect(new Set(delivered)).toEqual(new Set(["K7Q2ZD"]));
  });

  test("what was deferred waits for its time, whoever looks", async () => {
    const userId = await room.person("cleo");
    const id = await room.reset(userId);
    reply = () => ({ status: 429 });
    const waited: number[] = [];
    const retryAfterMs = (attempts: number) => {
      waited.push(attempts);
      return HOUR_MS / 2;
    };
    const worker = room.worker({ retryAfterMs });
    worker.start();
    await until("the first attempt's end", async () => (await room.repository.find(id))!.reason ?? undefined);
    for (let look = 0; look < 20; look++) {
      worker.wake();
      await room.repository.next(1);
    }
    await worker.stop(10_000);
    expect(sentTo(userId)).toHaveLength(1);
    expect(waited).toEqual([1]);
    const row = (await room.repository.find(id))!;
    expect(row).toMatchObject({ status: "pending", reason: "HTTP 429" });
    expect(row.nextAttemptAt!.getTime() - row.changedAt.getTime()).toBe(HOUR_MS / 2);
    await room.happens(userId, { type: "user.removed", payload: {} });
  });

  test("a permanent refusal is final, and recorded with its reason", async () => {
    const userId = await room.person("dora");
    const id = await room.reset(userId);
    reply = () => ({ status: 422 });
    expect(await settle(id)).toMatchObject({ status: "failed", reason: "HTTP 422", attempts: 1 });
    expect(await room.history(id)).toEqual(["added", "attempted", "failed"]);
    expect(await room.userHistory(userId)).not.toContain("human.password.code.sent");
    reply = () => ({ status: 200 });
    const later = await room.reset(await room.person("dora"));
    await settle(later);
    expect(sentTo(userId)).toHaveLength(1);
  });

  test("a code that has expired is not sent", async () => {
    const userId = await room.person("eva");
    const id = await room.reset(userId, { lifetimeMs: 300_000 });
    room.clock.ahead = 300_000;
    expect(await settle(id)).toMatchObject({ status: "dropped", reason: "expired" });
    expect(await room.history(id)).toEqual(["added", "dropped"]);
    expect(sentTo(userId)).toEqual([]);
  });

  test("a message whose next turn would be too late is dropped at once, with the reason it failed for", async () => {
    const id = await room.reset(await room.person("fay"), { lifetimeMs: 300_000 });
    reply = () => ({ status: 500 });
    const row = await settle(id, room.worker({ retryAfterMs: () => 300_000 }));
    expect(row).toMatchObject({ status: "dropped", reason: "expired: HTTP 500" });
    expect(await room.history(id)).toEqual(["added", "attempted", "dropped"]);
  });

  test("of several codes only the newest is sent", async () => {
    const userId = await room.person("gina");
    const codes = ["AAAAA1", "BBBBB2", "CCCCC3"];
    const ids: string[] = [];
    for (const code of codes) ids.push(await room.reset(userId, { code }));
    expect(await settle(ids[2]!)).toMatchObject({ status: "sent" });
    const older = await Promise.all(ids.slice(0, 2).map((id) => room.settled(id)));
    expect(older.map(({ status, reason }) => [status, reason])).toEqual([
      ["dropped", "replaced by a newer one"],
      ["dropped", "replaced by a newer one"],
    ]);
    expect(sentTo(userId).map(({ args }) => args.code)).toEqual(["CCCCC3"]);
  });

  test("a code nobody waits for any more is not sent", async () => {
    const changed = {
      type: "user.human.password.changed" as const,
      payload: { encodedHash: "x", changeRequired: false },
    };
    const [hanna, ida] = [await room.person("hanna"), await room.person("ida")];
    const ids = [await room.reset(hanna), await room.reset(ida)];
    await room.happens(hanna, changed);
    await room.happens(ida, { type: "user.removed", payload: {} });
    const worker = room.worker();
    worker.start();
    for (const id of ids) {
      expect(await room.settled(id)).toMatchObject({ status: "dropped", reason: "no longer waited for" });
    }
    await worker.stop(10_000);
    expect([...sentTo(hanna), ...sentTo(ida)]).toEqual([]);
  });

  test("a code answered while its message is on the way leaves no late news behind", async () => {
    const userId = await room.person("jana");
    const id = await room.reset(userId);
    reply = async () => {
      await room.happens(userId, {
        type: "user.human.password.changed",
        payload: { encodedHash: "x", changeRequired: false },
      });
      return { status: 200 };
    };
    expect(await settle(id)).toMatchObject({ status: "sent" });
    expect((await room.userHistory(userId)).slice(-1)).toEqual(["human.password.changed"]);
  });

  test("a newer code made while the older one's message is on the way does not pass for sent", async () => {
    const userId = await room.person("kim");
    const [id, newer] = [await room.reset(userId), Promise.withResolvers<string>()];
    reply = async (_, count) => {
      reply = () => ({ status: 200 });
      newer.resolve(await room.reset(userId, { code: "NEWER1" }));
      return { status: count > 0 ? 200 : 500 };
    };
    const worker = room.worker({ parallel: 1 });
    worker.start();
    expect(await room.settled(id)).toMatchObject({ status: "sent" });
    expect(await room.settled(await newer.promise)).toMatchObject({ status: "sent" });
    await worker.stop(10_000);
    expect(await room.userHistory(userId)).toEqual([
      "human.added",
      "human.password.code.added",
      "human.password.code.added",
      "human.password.code.sent",
    ]);
  });

  test("a user that changes while its message is on the way hears of it all the same", async () => {
    const userId = await room.person("lily");
    const id = await room.reset(userId);
    const set = (key: string) =>
      room.happens(userId, { type: "user.metadata.set", payload: { key, value: "" } });
    reply = async () => {
      await set("before");
      return { status: 200 };
    };
    const sending = settle(id);
    for (let change = 0; change < 10; change++) await set(`beside-${change}`);
    expect(await sending).toMatchObject({ status: "sent" });
    expect(await room.userHistory(userId)).toContain("human.password.code.sent");
  });

  test("of any number of servers one sends a message", async () => {
    const people = await Promise.all(Array.from({ length: 30 }, (_, index) => room.person(`many-${index}`)));
    const ids = await Promise.all(people.map((userId) => room.reset(userId)));
    const workers = [room.worker(), room.worker(), room.worker()];
    for (const worker of workers) worker.start();
    const rows = await Promise.all(ids.map((id) => room.settled(id)));
    await Promise.all(workers.map((worker) => worker.stop(10_000)));
    expect(rows.map(({ status, attempts }) => [status, attempts])).toEqual(rows.map(() => ["sent", 1]));
    expect(people.map((userId) => sentTo(userId).length)).toEqual(people.map(() => 1));
  });

  test("a server that dies over a message leaves it to another, and what it still has to say is not heard", async () => {
    const userId = await room.person("mona");
    const id = await room.reset(userId);
    const dead = Promise.withResolvers<void>();
    reply = async () => {
      reply = () => ({ status: 200 });
      await dead.promise;
      return { status: 422 };
    };
    const first = room.worker({ leaseMs: 20 });
    first.start();
    await until("the first server to try", () => sentTo(userId).length === 1);
    const row = await settle(id);
    expect(row).toMatchObject({ status: "sent", attempts: 2 });
    dead.resolve();
    await first.stop(10_000);
    expect(await room.history(id)).toEqual(["added", "attempted", "attempted", "sent"]);
    expect(room.lines.filter(({ notificationId }) => notificationId === id)).toMatchObject([
      { outcome: "sent", attempt: 2 },
      { outcome: "superseded", attempt: 1, reason: "HTTP 422" },
    ]);
    const identifiers = receiver.requests.map(({ headers }) => headers["idempotency-key"]);
    expect(identifiers.filter((identifier) => identifier === id)).toHaveLength(2);
  });

  test("a lease keeps others away as long as it lasts", async () => {
    const userId = await room.person("nora");
    const id = await room.reset(userId);
    const slow = Promise.withResolvers<void>();
    reply = async () => {
      await slow.promise;
      return { status: 200 };
    };
    const [first, second] = [room.worker(), room.worker()];
    first.start();
    await until("the first server to try", () => sentTo(userId).length === 1);
    second.start();
    for (let look = 0; look < 20; look++) {
      second.wake();
      await room.repository.next(1);
    }
    slow.resolve();
    expect(await room.settled(id)).toMatchObject({ status: "sent", attempts: 1 });
    await Promise.all([first.stop(10_000), second.stop(10_000)]);
    expect(sentTo(userId)).toHaveLength(1);
  });

  test("the only server of a database takes up at once what its earlier life left", async () => {
    const userId = await room.person("olga");
    const id = await room.reset(userId);
    const never = Promise.withResolvers<void>();
    reply = async () => {
      reply = () => ({ status: 200 });
      await never.promise;
      return { status: 500 };
    };
    const killed = room.worker();
    killed.start();
    await until("the first life to try", () => sentTo(userId).length === 1);
    // Its lease is half a minute; nobody waits for it.
    const row = await settle(id, room.worker({}, { alone: true }));
    expect(row).toMatchObject({ status: "sent", attempts: 2 });
    never.resolve();
    await killed.stop(10_000);
  });

  test("so many are under way at once as there may be, and no more", async () => {
    const people = await Promise.all(Array.from({ length: 12 }, (_, index) => room.person(`slow-${index}`)));
    const ids = await Promise.all(people.map((userId) => room.reset(userId)));
    const gate = Promise.withResolvers<void>();
    let [open, most] = [0, 0];
    reply = async () => {
      open += 1;
      most = Math.max(most, open);
      await gate.promise;
      open -= 1;
      return { status: 200 };
    };
    const worker = room.worker({ parallel: 3 });
    worker.start();
    await until("three to be under way", () => open === 3);
    for (let look = 0; look < 10; look++) {
      worker.wake();
      await room.repository.next(1);
    }
    expect(open).toBe(3);
    gate.resolve();
    await Promise.all(ids.map((id) => room.settled(id)));
    await worker.stop(10_000);
    expect(most).toBe(3);
  });

  test("whoever stops finishes what is under way and begins nothing", async () => {
    const [first, second] = [await room.person("pia"), await room.person("rosa")];
    const ids = [await room.reset(first), await room.reset(second)];
    const gate = Promise.withResolvers<void>();
    reply = async () => {
      await gate.promise;
      return { status: 200 };
    };
    const worker = room.worker({ parallel: 1 });
    worker.start();
    await until("the first to be under way", () => sentTo(first).length === 1);
    const stopped = worker.stop(10_000);
    gate.resolve();
    await stopped;
    expect(await room.repository.find(ids[0]!)).toMatchObject({ status: "sent" });
    expect(await room.repository.find(ids[1]!)).toMatchObject({ status: "pending", attempts: 0 });
    expect(sentTo(second)).toEqual([]);
    await settle(ids[1]!);
  });

  test("what another server stored is found by looking", async () => {
    const worker = room.worker();
    worker.start();
    // Nobody wakes the worker.
    const id = await room.reset(await room.person("sara"));
    expect(await room.settled(id)).toMatchObject({ status: "sent" });
    await worker.stop(10_000);
  });

  test("each attempt is a line in the log and a count, without code and with half an address", async () => {
    const userId = await room.person("tina");
    const id = await room.reset(userId, { code: "S3CRET" });
    reply = () => {
      reply = () => ({ status: 200 });
      return { status: 503, body: "S3CRET" };
    };
    await settle(id);
    const lines = room.lines.filter(({ notificationId }) => notificationId === id);
    expect(lines).toMatchObject([
      {
        msg: "notification",
        level: 40,
        kind: "PasswordReset",
        channel: "email",
        provider: "http",
        recipient: "t***@example.org",
        attempt: 1,
        outcome: "deferred",
        reason: "HTTP 503",
        durationMs: expect.any(Number),
      },
      { msg: "notification", level: 30, attempt: 2, outcome: "sent" },
    ]);
    expect(JSON.stringify(room.lines)).not.toMatch(/S3CRET|tina-/);
    const text = await room.metrics.text();
    expect(text).toMatch(/^outcomes_total\{kind="PasswordReset",channel="email",outcome="sent"\} \d+$/m);
    expect(text).toMatch(/^outcomes_total\{kind="PasswordReset",channel="email",outcome="deferred"\} \d+$/m);
  });

  test("nothing stored about a message has its code in the clear", async () => {
    const userId = await room.person("ute");
    const id = await room.reset(userId, { code: "H1DDEN" });
    await settle(id);
    const stored = [
      await room.events.readStream("notification", id),
      await room.events.readStream("user", userId),
      await room.repository.find(id),
    ];
    expect(JSON.stringify(stored)).not.toContain("H1DDEN");
    expect(sentTo(userId)[0].args.code).toBe("H1DDEN");
  });
});

describe.each(engines)("without a provider on %s", (engine) => {
  test("nothing is stored to be sent", async () => {
    const room = await openPostRoom(engine, {});
    const userId = await room.person("vera");
    await room.reset(userId);
    expect(await room.repository.next(10)).toEqual([]);
    expect((await room.userHistory(userId)).at(-1)).toBe("human.password.code.added");
    await room.close();
  });
});

test("a mail that comes back from a server that was away is sent, and one it refuses is not tried twice", async () => {
  const away = await openMailServer();
  await away.close();
  const smtp = {
    host: `127.0.0.1:${away.port}`,
    tls: false,
    senderAddress: "no-reply@example.com",
    senderName: "Gatehouse",
    auth: { type: "none" as const },
  };
  const room = await openPostRoom("pglite", { email: { type: "smtp", smtp } });
  const first = await room.reset(await room.person("wanda"));
  const worker = room.worker({ retryAfterMs: () => 20 });
  worker.start();
  await until("an attempt in vain", async () => (await room.repository.find(first))!.reason ?? undefined);
  expect(await room.repository.find(first)).toMatchObject({ reason: "SMTP: ECONNREFUSED" });
  const options: Parameters<typeof openMailServer>[0] = { port: away.port };
  const back = await openMailServer(options);
  expect(await room.settled(first)).toMatchObject({ status: "sent" });
  expect(back.mails).toHaveLength(1);
  options.refuse = { at: "RCPT TO", code: 550 };
  const second = await room.reset(await room.person("xenia"));
  expect(await room.settled(second)).toMatchObject({ status: "failed", reason: "SMTP 550 5.1.1 at RCPT TO" });
  await room.close();
  await back.close();
});
