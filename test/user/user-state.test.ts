import { describe, expect, it } from "vitest";
import type { UserEvent } from "../../src/user/events.ts";
import { decideStateChange, type StateChange } from "../../src/user/user-state.ts";
import { givenUser } from "../support/given.ts";

const event = (type: UserEvent["type"]) => ({ type, payload: {} }) as UserEvent;
const users = {
  active: givenUser(),
  locked: givenUser(event("user.locked")),
  inactive: givenUser(event("user.deactivated")),
};

describe("the states of a user", () => {
  it.each([
    ["lock", "active", "user.locked"],
    ["lock", "locked", "user.lock_not_active"],
    ["lock", "inactive", "user.lock_not_active"],
    ["unlock", "active", "user.unlock_not_locked"],
    ["unlock", "locked", "user.unlocked"],
    ["unlock", "inactive", "user.unlock_not_locked"],
    ["deactivate", "active", "user.deactivated"],
    ["deactivate", "locked", "user.deactivated"],
    ["deactivate", "inactive", "user.deactivate_already"],
    ["reactivate", "active", "user.reactivate_not_inactive"],
    ["reactivate", "locked", "user.reactivate_not_inactive"],
    ["reactivate", "inactive", "user.reactivated"],
  ] as [StateChange, keyof typeof users, string][])("%s when %s: %s", (act, status, expected) => {
    const decide = () => decideStateChange(users[status], act);
    if (expected.includes("_")) expect(decide).toThrow(expect.objectContaining({ slug: expected }));
    else expect(decide()).toEqual([{ type: expected, payload: {} }]);
  });
});
