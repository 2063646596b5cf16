import { describe, expect, it } from "vitest";
import { mayChange, mayCreate, mayEnd, mayRead } from "../../src/session/permissions.ts";
import { caller, givenSession } from "../support/given.ts";

const anonymous = { ...givenSession(), fingerprintId: "agent-1" };
const ofMia = { ...anonymous, userId: "mia", userOrganizationId: "acme" };

const callers = {
  IAM_OWNER: caller("a", { instance: ["IAM_OWNER"] }),
  IAM_LOGIN_CLIENT: caller("l", { instance: ["IAM_LOGIN_CLIENT"] }),
  IAM_OWNER_VIEWER: caller("v", { instance: ["IAM_OWNER_VIEWER"] }),
  IAM_ORG_MANAGER: caller("m", { instance: ["IAM_ORG_MANAGER"] }),
  IAM_USER_MANAGER: caller("u", { instance: ["IAM_USER_MANAGER"] }),
  "ORG_OWNER of the user's organization": caller("o", { acme: ["ORG_OWNER"] }),
  "ORG_USER_MANAGER of the user's organization": caller("p", { acme: ["ORG_USER_MANAGER"] }),
  "ORG_OWNER_VIEWER of the user's organization": caller("w", { acme: ["ORG_OWNER_VIEWER"] }),
  "ORG_OWNER of another organization": caller("x", { other: ["ORG_OWNER"] }),
  "an instance role given on an organization": caller("y", { other: ["IAM_OWNER"] }),
  "the session's user": caller("mia"),
  "the creator": caller("creator"),
  "the same user agent": caller("b", {}, "agent-1"),
  "another user agent": caller("c", {}, "agent-2"),
  "nobody in particular": caller("n"),
};
type Who = keyof typeof callers;

/** create · change, read and end of a session with a user · the same without a user · the same of an unknown id */
const table: [Who, string, string, string, string][] = [
  ["IAM_OWNER", "c", "CRE", "CRE", "CRE"],
  ["IAM_LOGIN_CLIENT", "c", "CRE", "CRE", "CRE"],
  ["IAM_OWNER_VIEWER", "-", "-R-", "-R-", "-R-"],
  ["IAM_ORG_MANAGER", "-", "-RE", "-RE", "-RE"],
  ["IAM_USER_MANAGER", "-", "-RE", "-RE", "-RE"],
  ["ORG_OWNER of the user's organization", "-", "-RE", "---", "---"],
  ["ORG_USER_MANAGER of the user's organization", "-", "-RE", "---", "---"],
  ["ORG_OWNER_VIEWER of the user's organization", "-", "---", "---", "---"],
  ["ORG_OWNER of another organization", "-", "---", "---", "---"],
  ["the session's user", "-", "-RE", "---", "---"],
  ["the creator", "-", "-R-", "-R-", "---"],
  ["the same user agent", "-", "-R-", "-R-", "---"],
  ["another user agent", "-", "---", "---", "---"],
  ["nobody in particular", "-", "---", "---", "---"],
];

const rights = (who: Who, session: typeof ofMia | typeof anonymous | undefined) =>
  [
    mayChange(callers[who], session) ? "C" : "-",
    mayRead(callers[who], session) ? "R" : "-",
    mayEnd(callers[who], session) ? "E" : "-",
  ].join("");

describe("who may do what with a session", () => {
  it.each(table)(
    "%s: create %s, with user %s, without %s, unknown %s",
    (who, create, withUser, without, unknown) => {
      expect(mayCreate(callers[who]) ? "c" : "-").toBe(create);
      expect(rights(who, ofMia)).toBe(withUser);
      expect(rights(who, anonymous)).toBe(without);
      expect(rights(who, undefined)).toBe(unknown);
    },
  );

  it("gives a role no reach beyond the resource it was given on", () => {
    expect(rights("an instance role given on an organization", ofMia)).toBe("---");
  });
});
