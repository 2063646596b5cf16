import { describe, expect, it } from "vitest";
import { accessible, mayAct, mayDelete } from "../../src/user/permissions.ts";
import { caller, givenUser } from "../support/given.ts";

const mia = givenUser();
const removed = givenUser({ type: "user.removed", payload: {} });
const slug = (name: string) => expect.objectContaining({ slug: name });

const callers = {
  IAM_OWNER: caller("a", { instance: ["IAM_OWNER"] }),
  IAM_OWNER_VIEWER: caller("v", { instance: ["IAM_OWNER_VIEWER"] }),
  IAM_LOGIN_CLIENT: caller("l", { instance: ["IAM_LOGIN_CLIENT"] }),
  "ORG_OWNER of the user's organization": caller("o", { acme: ["ORG_OWNER"] }),
  "ORG_OWNER_VIEWER of the user's organization": caller("ov", { acme: ["ORG_OWNER_VIEWER"] }),
  "ORG_OWNER of another organization": caller("p", { other: ["ORG_OWNER"] }),
  "the user": caller("mia"),
  "the user with ORG_USER_SELF_MANAGER": caller("mia", { acme: ["ORG_USER_SELF_MANAGER"] }),
  "a stranger": caller("n"),
};

type Right = "read" | "update" | "set state" | "delete";
const rights: [keyof typeof callers, Right[]][] = [
  ["IAM_OWNER", ["read", "update", "set state", "delete"]],
  ["IAM_OWNER_VIEWER", ["read"]],
  ["IAM_LOGIN_CLIENT", ["read", "update", "set state"]],
  ["ORG_OWNER of the user's organization", ["read", "update", "set state", "delete"]],
  ["ORG_OWNER_VIEWER of the user's organization", ["read"]],
  ["ORG_OWNER of another organization", []],
  ["the user", ["read", "update"]],
  ["the user with ORG_USER_SELF_MANAGER", ["read", "update", "delete"]],
  ["a stranger", []],
];

describe("who may do what to a user", () => {
  it.each(rights)("%s: %j", (name, expected) => {
    const who = callers[name];
    const held: { [right in Right]: boolean } = {
      read: mayAct(who, mia, "user.read", "selfOrPermission"),
      update: mayAct(who, mia, "user.write", "selfOrPermission"),
      "set state": mayAct(who, mia, "user.write"),
      delete: mayDelete(who, mia),
    };
    expect(Object.entries(held).flatMap(([right, yes]) => (yes ? [right] : []))).toEqual(expected);
  });
});

describe("a user that does not exist", () => {
  it("is not found by whoever could act on any user", () => {
    const read = () => accessible(callers.IAM_OWNER, undefined, "user.write", "user.lock_not_found");
    expect(read).toThrow(slug("user.lock_not_found"));
  });

  it.each(["ORG_OWNER of another organization", "a stranger"] as const)(
    "looks like a stranger's to %s",
    (name) => {
      const messages = [undefined, mia].map((user) => {
        try {
          return accessible(callers[name], user, "user.read", "user.not_found", "selfOrPermission");
        } catch (error) {
          return error;
        }
      });
      expect(messages[0]).toEqual(slug("auth.permission_denied"));
      expect(messages[0]).toEqual(messages[1]);
    },
  );

  it("is not found by its former organization's owner after its removal, and not oneself", () => {
    const former = callers["ORG_OWNER of the user's organization"];
    expect(() => accessible(former, removed, "user.read", "user.not_found")).toThrow(slug("user.not_found"));
    expect(mayAct(callers["the user"], removed, "user.read", "selfOrPermission")).toBe(false);
  });
});
