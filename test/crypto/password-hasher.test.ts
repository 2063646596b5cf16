import { readdirSync, readFileSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { hashSync } from "bcryptjs";
import { describe, expect, test } from "vitest";
import { createPasswordHasher, PasswordHashQueueFull } from "../../src/crypto/password-hasher.ts";

describe("password hasher", () => {
  test("hashes and verifies like the functions it bounds", async () => {
    const hasher = createPasswordHasher();
    const encoded = await hasher.hash("Secret-1");
    expect(await hasher.verify("Secret-1", encoded)).toEqual({ matches: true, needsRehash: false });
    expect((await hasher.verify("Secret-2", encoded)).matches).toBe(false);
  });

  test("no more than the limit wait; the next one is refused at once and the others are served in order", async () => {
    const hasher = createPasswordHasher({ parallel: 1, queueLimit: 2 });
    const finished: number[] = [];
    const hash = async (number: number) => {
      await hasher.hash("Secret-1");
      finished.push(number);
    };
    const accepted = [hash(1), hash(2), hash(3)];
    await expect(hasher.hash("Secret-1")).rejects.toBeInstanceOf(PasswordHashQueueFull);
    expect(finished).toEqual([]);
    await Promise.all(accepted);
    expect(finished).toEqual([1, 2, 3]);
  });

  test("many processes on one machine have one place each, and share the queue out", async () => {
    const hasher = createPasswordHasher({ processes: 50 });
    const burst = await Promise.allSettled([1, 2, 3, 4, 5].map(() => hasher.verify("Secret-1", "garbage")));
    const places = ["fulfilled", "fulfilled", "fulfilled", "rejected", "rejected"];
    expect(burst.map((call) => call.status)).toEqual(places);
  });

  test("every place is free again after a burst, refusals and garbage included", async () => {
    const hasher = createPasswordHasher({ parallel: 2, queueLimit: 0 });
    for (let round = 0; round < 3; round++) {
      const burst = await Promise.allSettled([1, 2, 3].map(() => hasher.verify("Secret-1", "garbage")));
      expect(burst.map((call) => call.status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
    }
  });

  test.each([
    ["Argon2id", "$argon2id$v=19$m=19456,t=8,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"],
    ["bcrypt", hashSync("Secret-2", 10)],
    ["scrypt", "$scrypt$ln=15,r=8,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"],
    ["PBKDF2", "$pbkdf2-sha256$200000$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"],
  ])("a long verification of %s leaves the event loop free", async (_kind, encoded) => {
    let turns = 0;
    let done = false;
    const verification = createPasswordHasher()
      .verify("Secret-1", encoded)
      .finally(() => {
        done = true;
      });
    for (; !done; turns++) await nextTurn();
    expect((await verification).matches).toBe(false);
    // On the event loop there would be none between the call and its answer.
    expect(turns).toBeGreaterThan(100);
  });

  test("imported hashes stay what they are, if asked to", async () => {
    const imported = hashSync("Secret-1", 4);
    const verdict = (options: { rehash?: boolean }) =>
      createPasswordHasher(options).verify("Secret-1", imported);
    expect(await verdict({})).toEqual({ matches: true, needsRehash: true });
    expect(await verdict({ rehash: false })).toEqual({ matches: true, needsRehash: false });
  });

  test.runIf(process.platform === "linux")(
    "the threads that hash have less claim to a core than the one that serves",
    async () => {
      await createPasswordHasher().hash("Secret-1");
      const niceness = (thread: string) => {
        const stat = readFileSync(`/proc/self/task/${thread}/stat`, "utf8");
        return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
      };
      const serving = niceness(String(process.pid));
      const all = readdirSync("/proc/self/task").map(niceness);
      expect(Math.max(...all)).toBeGreaterThan(serving);
      // The threads that are not ours to lower: V8's, libuv's.
      expect(all.filter((nice) => nice === serving).length).toBeGreaterThan(1);
    },
  );
});
