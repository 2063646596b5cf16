import { describe, expect, test } from "vitest";
import { DomainError } from "../../src/errors.ts";
import type { IdpIntentEvent } from "../../src/idp/events.ts";
import { idpIntentAggregate } from "../../src/idp/intent.ts";
import { decideIntentCheck } from "../../src/session/checks/idp-intent.ts";
import type { UserEvent } from "../../src/user/events.ts";
import { given, givenUser } from "../support/given.ts";

const AT = new Date("2026-07-10T10:00:00.000Z");

const started: IdpIntentEvent = {
  type: "idpintent.started",
  payload: {
    idpId: "idp",
    successURL: "https://a.example",
    failureURL: "https://a.example",
    secrets: "sealed",
    expiresAt: "2026-07-10T10:30:00.000Z",
  },
};
const succeeded = (userId?: string, expiresAt = "2026-07-10T10:30:00.000Z"): IdpIntentEvent => ({
  type: "idpintent.succeeded",
  payload: {
    idpUser: {},
    idpUserId: "ada",
    idpUserName: "ada",
    tokens: "sealed",
    expiresAt,
    ...(userId === undefined ? {} : { userId }),
  },
});
const intentOf = (...events: IdpIntentEvent[]) =>
  given(idpIntentAggregate, idpIntentAggregate.initialState("intent"), events);

const linkTo = (idpConfigId: string, userId: string): UserEvent => ({
  type: "user.human.externalidp.added",
  payload: { idpConfigId, userId, displayName: "ada" },
});
const linked = givenUser(linkTo("idp", "ada"));

const slugOf = (...[user, intent]: Partial<Parameters<typeof decideIntentCheck>>): string => {
  try {
    decideIntentCheck(user ?? linked, intent ?? intentOf(started, succeeded("mia")), AT, "actor");
    return "ok";
  } catch (error) {
    return error instanceof DomainError ? error.slug : String(error);
  }
};

describe("the intent check", () => {
  test.each([undefined, "mia"])("takes a linked account, linked when it came back: %s", (userId) => {
    const intent = intentOf(started, succeeded(userId));
    const { session, user, others } = decideIntentCheck(linked, intent, AT, "actor");
    expect(session).toEqual([
      {
        type: "session.intent.checked",
        payload: { checkedAt: "2026-07-10T10:00:00.000Z", idpId: intent.idpId },
      },
    ]);
    expect(user).toEqual([]);
    expect(others).toMatchObject([
      {
        type: "idpintent",
        id: "intent",
        expectedSequence: 2,
        events: [{ type: "idpintent.consumed", sequence: 3 }],
        state: { status: "consumed", tokens: null },
      },
    ]);
  });

  test("refuses one that is not there, under way, failed or used up (S-094)", () => {
    const failed: IdpIntentEvent = { type: "idpintent.failed", payload: { reason: "access_denied" } };
    const consumed: IdpIntentEvent = { type: "idpintent.consumed", payload: {} };
    for (const events of [[], [started], [started, failed], [started, succeeded("mia"), consumed]]) {
      expect(slugOf(linked, intentOf(...events))).toBe("session.intent_not_succeeded");
    }
  });

  test("refuses one that has expired, to the millisecond (S-098)", () => {
    expect(slugOf(linked, intentOf(started, succeeded("mia", "2026-07-10T09:59:59.999Z")))).toBe(
      "session.intent_expired",
    );
    expect(slugOf(linked, intentOf(started, succeeded("mia", "2026-07-10T10:00:00.000Z")))).toBe("ok");
  });

  test("refuses another user's, though the link says otherwise by now (S-095)", () => {
    expect(slugOf(linked, intentOf(started, succeeded("noah")))).toBe("session.intent_other_user");
  });

  test.each([
    ["nothing", []],
    ["another account", [linkTo("idp", "grace")]],
    ["an account of that name elsewhere", [linkTo("other", "ada")]],
    [
      "it no more",
      [
        linkTo("idp", "ada"),
        { type: "user.human.externalidp.removed", payload: { idpConfigId: "idp", userId: "ada" } },
      ],
    ],
  ] as [string, UserEvent[]][])("refuses a user who is linked to %s", (_, events) => {
    for (const intent of [intentOf(started, succeeded()), intentOf(started, succeeded("mia"))]) {
      expect(slugOf(givenUser(...events), intent)).toBe("session.intent_other_user");
    }
  });
});
