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
});
