import type { JsonObject } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addHuman, importedHash } from "../../crash/people.ts";
import { refusalOf, sessionClient } from "../../support/clients.ts";
import { type Engine, engines } from "../../support/databases.ts";
import { signIn, streamOf, WRONG_PASSWORD } from "../../support/fixtures.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";
import { asking as askingUsers, person } from "../users/wire.ts";
import { asking, type ServiceName } from "./wire.ts";

/** A server with people whose passwords cost nothing to check. */
async function open(engine: Engine, people: number) {
  const ids: string[] = [];
  const server = await startTestServer(engine, {
    // The answers to wrong guesses are held back; here nobody waits for them.
    server: { delay: async () => {} },
    prepare: async (opened) => {
      for (let count = 0; count < people; count++) ids.push(await addHuman(opened));
    },
  });
  return { server, ids };
}

const callsOf = (server: TestServer) => {
  const admin = { token: server.adminToken };
  return {
    ask: (service: ServiceName) => asking(server, service, admin),
    users: askingUsers(server, admin),
    guess: (id: string, password = WRONG_PASSWORD, url = server.url) =>
      sessionClient(url, server.adminToken).createSession({ checks: signIn({ id }, password) }),
  };
};

const wrong = (failedAttempts: number) => ({
  code: Code.InvalidArgument,
  id: "COMMAND-3M0fs",
  failedAttempts,
});
const locked = { code: Code.FailedPrecondition, message: "Errors.User.NotActive (SESSION-Gj4ko)" };

/** How often each event happened to a user. */
async function eventCounts(server: TestServer, id: string): Promise<Record<string, number>> {
  const opened = await server.database.open();
  try {
    const counts: Record<string, number> = {};
    for (const { type } of await streamOf(opened, "user", id)) counts[type] = (counts[type] ?? 0) + 1;
    return counts;
  } finally {
    await opened.close();
  }
}

describe.each(engines)("wrong passwords on %s", (engine) => {
  let server: TestServer;
  let people: string[];
  let calls: ReturnType<typeof callsOf>;
  beforeAll(async () => {
    ({ server, ids: people } = await open(engine, 6));
    calls = callsOf(server);
  });
  afterAll(() => server.close());

  const nextPerson = () => people.pop()!;
  const limit = (limits: JsonObject) => calls.ask("admin")("UpdateLockoutPolicy", limits);
  const guessed = (id: string) => refusalOf(calls.guess(id));

  test("lock nobody on a fresh instance", async () => {
    const id = nextPerson();
    for (let attempt = 1; attempt <= 12; attempt++) expect(await guessed(id)).toMatchObject(wrong(attempt));
  });

  test("lock with the last one the instance allows, not before and not after", async () => {
    await limit({ maxPasswordAttempts: 3 });
    const id = nextPerson();
    for (const attempt of [1, 2, 3]) {
      expect((await calls.users("GetUserByID", { userId: id })).user).toMatchObject({
        state: "USER_STATE_ACTIVE",
      });
      expect(await guessed(id)).toMatchObject(wrong(attempt));
    }
    expect((await calls.users("GetUserByID", { userId: id })).user).toMatchObject({
      state: "USER_STATE_LOCKED",
    });
    expect(await guessed(id)).toMatchObject(locked);
  });

  test("are counted anew by a limit that was lowered, and locked by it with the next one", async () => {
    await limit({ maxPasswordAttempts: 10 });
    const id = nextPerson();
    for (const attempt of [1, 2, 3, 4]) expect(await guessed(id)).toMatchObject(wrong(attempt));
    await limit({ maxPasswordAttempts: 2 });
    expect(await guessed(id)).toMatchObject(wrong(5));
    expect(await guessed(id)).toMatchObject(locked);
  });

  test("do not count against the limit of the other factors", async () => {
    await limit({ maxPasswordAttempts: 0, maxOtpAttempts: 1 });
    const id = nextPerson();
    for (const attempt of [1, 2, 3]) expect(await guessed(id)).toMatchObject(wrong(attempt));
  });

  test("lock with the last one the organization allows, while it has a limit of its own", async () => {
    await limit({ maxPasswordAttempts: 4 });
    const management = calls.ask("management");
    await management("AddCustomLockoutPolicy", { maxPasswordAttempts: 2 });
    const own = nextPerson();
    expect(await guessed(own)).toMatchObject(wrong(1));
    expect(await guessed(own)).toMatchObject(wrong(2));
    expect(await guessed(own)).toMatchObject(locked);

    await management("UpdateCustomLockoutPolicy", { maxPasswordAttempts: 3 });
    const changed = nextPerson();
    for (const attempt of [1, 2]) expect(await guessed(changed)).toMatchObject(wrong(attempt));
    await management("ResetLockoutPolicyToDefault");
    for (const attempt of [3, 4]) expect(await guessed(changed)).toMatchObject(wrong(attempt));
    expect(await guessed(changed)).toMatchObject(locked);
  });

  test("count the same where a password is changed", async () => {
    await limit({ maxPasswordAttempts: 2 });
    const added = await calls.users(
      "AddHumanUser",
      person("cara", { hashedPassword: { hash: importedHash(1) } }),
    );
    const userId = added.userId as string;
    const newPassword = { password: "Another-Horse-9" };
    const change = () => calls.users("SetPassword", { userId, newPassword, currentPassword: WRONG_PASSWORD });
    await expect(change()).rejects.toThrow("password is invalid");
    await expect(change()).rejects.toThrow("password is invalid");
    await expect(change()).rejects.toThrow("user is locked");
  });

  test("of people elsewhere count by the instance's limit, whatever this organization has", async () => {
    await limit({ maxPasswordAttempts: 2 });
    await calls.ask("management")("AddCustomLockoutPolicy", { maxPasswordAttempts: 100 });
    const { organizationId } = await calls.users("AddOrganization", { name: "Elsewhere" });
    const added = await calls.users("AddHumanUser", {
      ...person("elias", { hashedPassword: { hash: importedHash(1) } }),
      organization: { orgId: organizationId! },
    });
    expect(await guessed(added.userId as string)).toMatchObject(wrong(1));
    expect(await guessed(added.userId as string)).toMatchObject(wrong(2));
    expect(await guessed(added.userId as string)).toMatchObject(locked);
    await calls.ask("management")("ResetLockoutPolicyToDefault");
  });
});

describe("a burst of wrong passwords on PostgreSQL", () => {
  const LIMIT = 5;
  let server: TestServer;
  let people: string[];
  let calls: ReturnType<typeof callsOf>;
  let urls: string[];
  beforeAll(async () => {
    ({ server, ids: people } = await open("postgres", 6));
    calls = callsOf(server);
    urls = [server.url, (await server.startAnother()).url];
  });
  afterAll(() => server.close());

  const noneOfItsOwn = () =>
    calls
      .ask("management")("ResetLockoutPolicyToDefault")
      .catch(() => {});
  const limits = {
    instance: async () => {
      await noneOfItsOwn();
      await calls.ask("admin")("UpdateLockoutPolicy", { maxPasswordAttempts: LIMIT });
    },
    organization: async () => {
      await noneOfItsOwn();
      await calls.ask("admin")("UpdateLockoutPolicy", { maxPasswordAttempts: 0 });
      await calls.ask("management")("AddCustomLockoutPolicy", { maxPasswordAttempts: LIMIT });
    },
  };

  test.each([
    [50, "instance", 1],
    [1_000, "instance", 1],
    [50, "instance", 2],
    [50, "organization", 1],
    [1_000, "organization", 1],
    [50, "organization", 2],
  ] as const)("of %d spends what the %s allows and locks once, on %d node(s)", async (size, whose, nodes) => {
    await limits[whose]();
    const id = people.pop()!;
    const outcomes = await Promise.all(
      Array.from({ length: size }, async (_, index) => {
        try {
          await calls.guess(id, WRONG_PASSWORD, urls[index % nodes]);
          return "signed in";
        } catch (error) {
          return ConnectError.from(error).rawMessage;
        }
      }),
    );
    const counts = Map.groupBy(outcomes, (outcome) => outcome);
    expect(counts.get("password is invalid (COMMAND-3M0fs)")).toHaveLength(LIMIT);
    expect(counts.get(locked.message)).toHaveLength(size - LIMIT);

    const events = await eventCounts(server, id);
    expect(events["user.human.password.check.failed"]).toBe(LIMIT);
    expect(events["user.locked"]).toBe(1);
    // The right password comes too late.
    expect(await refusalOf(calls.guess(id, "Correct-Horse-7"))).toMatchObject(locked);
  });
});
