import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkIdleLifetime,
  checkSessionSettings,
} from "../../src/organization/settings/change-session-settings.ts";
import { settingsOf } from "../../src/organization/settings/settings.ts";
import type { SessionSettings } from "../../src/storage/instance-settings.ts";

const fresh = settingsOf({ settings: {} }).session;
const MINUTE_MS = 60_000;
const CENTURY_MS = 36_500 * 24 * 60 * MINUTE_MS;

const refusalOf = (changes: Partial<SessionSettings>): string => {
  try {
    checkSessionSettings({ ...fresh, ...changes });
    return "ok";
  } catch (error) {
    return (error as { slug: string }).slug;
  }
};

describe("session settings", () => {
  it("of a fresh instance limit nothing, and are good ones", () => {
    expect(fresh).toMatchObject({
      maxLifetimeMs: null,
      idleLifetimeMs: null,
      concurrency: { maxSessionsPerUser: 0 },
    });
    expect(refusalOf({})).toBe("ok");
  });

  it.each<[string, Partial<SessionSettings>, string]>([
    ["no lifetime at all", { maxLifetimeMs: 0 }, "settings.max_lifetime_invalid"],
    ["a lifetime below nothing", { maxLifetimeMs: -1 }, "settings.max_lifetime_invalid"],
    ["a lifetime nobody could read", { maxLifetimeMs: Number.NaN }, "settings.max_lifetime_invalid"],
    ["the shortest lifetime", { maxLifetimeMs: 1 }, "ok"],
    ["the longest lifetime", { maxLifetimeMs: CENTURY_MS }, "ok"],
    ["a longer lifetime", { maxLifetimeMs: CENTURY_MS + 1 }, "settings.max_lifetime_invalid"],
    ["less than a minute unused", { idleLifetimeMs: MINUTE_MS - 1 }, "session.idle_lifetime_invalid"],
    ["a minute unused", { idleLifetimeMs: MINUTE_MS }, "ok"],
    ["more than a century unused", { idleLifetimeMs: CENTURY_MS + 1 }, "session.idle_lifetime_invalid"],
    ["a thousand sessions", { concurrency: { maxSessionsPerUser: 1_000, policy: "refuse" } }, "ok"],
    [
      "a thousand and one",
      { concurrency: { maxSessionsPerUser: 1_001, policy: "end_oldest" } },
      "settings.concurrency_invalid",
    ],
    [
      "half a session",
      { concurrency: { maxSessionsPerUser: 0.5, policy: "refuse" } },
      "settings.concurrency_invalid",
    ],
    ["a century in full", { retention: { foldAfterDays: 36_500, removeAfterDays: 36_500 } }, "ok"],
    [
      "folding after more than a century",
      { retention: { foldAfterDays: 36_501, removeAfterDays: 0 } },
      "settings.fold_after_days_invalid",
    ],
    [
      "removal after more than a century",
      { retention: { foldAfterDays: 0, removeAfterDays: 36_501 } },
      "settings.remove_after_days_invalid",
    ],
    [
      "removal before folding",
      { retention: { foldAfterDays: 2, removeAfterDays: 1 } },
      "settings.retention_order_invalid",
    ],
    ["folding without removal", { retention: { foldAfterDays: 2, removeAfterDays: 0 } }, "ok"],
    ["removal without folding", { retention: { foldAfterDays: 0, removeAfterDays: 1 } }, "ok"],
    ["removal along with folding", { retention: { foldAfterDays: 2, removeAfterDays: 2 } }, "ok"],
  ])("%s", (_, changes, outcome) => {
    expect(refusalOf(changes)).toBe(outcome);
  });

  it("bound the idle lifetime of one session as that of all", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer(), fc.double(), fc.constantFrom(MINUTE_MS, CENTURY_MS)),
        (milliseconds) => {
          const one = () => checkIdleLifetime(milliseconds);
          if (refusalOf({ idleLifetimeMs: milliseconds }) === "ok") expect(one).not.toThrow();
          else expect(one).toThrow("idle_lifetime: must be at least a minute");
        },
      ),
    );
  });
});
