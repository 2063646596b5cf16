import { describe, expect, test } from "vitest";
import { initialSession, standing } from "../../src/session/session.ts";
import type { SessionFilter } from "../../src/storage/session-filter.ts";
import type { SessionRecord } from "../../src/storage/session-repository.ts";

const at = new Date("2026-07-10T09:00:00Z");

/** A session that has proven its user's first password, read while an ending with this filter is running. */
const readDuring = (filter: SessionFilter, passwordEpoch: number): SessionRecord => ({
  session: {
    ...initialSession("session"),
    status: "active",
    userId: "mia",
    userEpoch: 0,
    factors: { user: { checkedAt: at.toISOString() }, password: { checkedAt: at.toISOString(), epoch: 0 } },
    createdAt: at,
  },
  user: { status: "active", sessionEpoch: 0, passwordEpoch, loginName: "mia", displayName: "Mia" },
  now: new Date(at.getTime() + 2_000),
  endings: [{ id: "ending", filter, actorId: "owner", createdAt: new Date(at.getTime() + 1_000) }],
});

describe("a new password that ends no session", () => {
  test.each([0, 1])("takes none out of a running ending (its number %i)", (passwordEpoch) => {
    expect(standing(readDuring({ factorsPresent: ["password"] }, passwordEpoch))).toBe("ended");
  });

  test.each([0, 1])("brings none into a running ending (its number %i)", (passwordEpoch) => {
    expect(standing(readDuring({ factorsMissing: ["password"] }, passwordEpoch))).toBe("active");
  });
});
