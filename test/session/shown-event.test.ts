import { expect, it } from "vitest";
import type { SessionEvent } from "../../src/session/events.ts";
import { shown } from "../../src/session/shown-event.ts";

const of = (event: SessionEvent) => ({ ...event, sequence: 1, createdAt: new Date(0), actorId: "somebody" });
const later = "2030-01-01T00:00:00.000Z";

it("an event is shown with when it was and whose act", () => {
  expect(shown(of({ type: "session.totp.checked", payload: { checkedAt: later } }))).toEqual({
    type: "session.totp.checked",
    sequence: 1,
    createdAt: new Date(0),
    actorId: "somebody",
    payload: { checkedAt: later },
  });
});

it.each<[SessionEvent, object]>([
  [{ type: "session.token.set", payload: { tokenDigest: "SECRET", spared: ["op"] } }, { spared: ["op"] }],
  [
    {
      type: "session.webAuthN.challenged",
      payload: {
        challenge: "SECRET",
        allowedCrentialIDs: ["SECRET"],
        userVerification: 1,
        rpid: "acme",
        expiresAt: later,
      },
    },
    { userVerification: 1, rpid: "acme", expiresAt: later },
  ],
  [
    { type: "session.otp.sms.challenged", payload: { code: "SECRET", expiresAt: later, codeReturned: true } },
    { expiresAt: later, codeReturned: true },
  ],
  [
    {
      type: "session.otp.sms.challenged",
      payload: {
        code: null,
        expiresAt: later,
        codeReturned: false,
        generatorId: "twilio",
        challengeId: "SECRET",
      },
    },
    { expiresAt: later, codeReturned: false, generatorId: "twilio" },
  ],
  [{ type: "session.otp.sms.sent", payload: { verificationId: "SECRET" } }, {}],
  [
    {
      type: "session.otp.email.challenged",
      payload: { code: "SECRET", expiresAt: later, returnCode: false, urlTmpl: "https://acme/?SECRET" },
    },
    { expiresAt: later, returnCode: false },
  ],
])("of %j nothing is shown that opens anything", (event, payload) => {
  expect(shown(of(event)).payload).toEqual(payload);
});

it("a field that nobody has decided on is not shown", () => {
  const payload = { checkedAt: later, surprise: "SECRET", constructor: "SECRET" };
  expect(shown(of({ type: "session.totp.checked", payload })).payload).toEqual({ checkedAt: later });
});

it.each<[SessionEvent, string]>([
  [{ type: "session.terminated", payload: { entitlement: "own" } }, "terminated"],
  [{ type: "session.terminated", payload: { reason: "user_locked" } }, "user_locked"],
  [{ type: "session.expired", payload: {} }, "expired"],
])("an ending tells its reason, also if that goes without saying: %j", (event, reason) => {
  expect(shown(of(event)).payload).toMatchObject({ reason });
});
