import { describe, expect, it } from "vitest";
import type { SessionEvent } from "../../src/session/events.ts";
import { decideKeep } from "../../src/session/keep-session.ts";
import type { RunningEnding } from "../../src/storage/session-repository.ts";
import type { LostProof } from "../../src/user/lost-proof.ts";
import { givenSession, START } from "../support/given.ts";

const checkedAt = START.toISOString();
const user: SessionEvent = {
  type: "session.user.checked",
  payload: { userID: "mia", userResourceOwner: "acme", userEpoch: 3, checkedAt },
};
const proven: SessionEvent[] = [
  user,
  { type: "session.password.checked", payload: { checkedAt, passwordEpoch: 0 } },
  { type: "session.intent.checked", payload: { checkedAt, idpId: "google" } },
  { type: "session.webAuthN.checked", payload: { checkedAt, credentialId: "a" } },
  { type: "session.totp.checked", payload: { checkedAt } },
  { type: "session.otp.sms.checked", payload: { checkedAt } },
  { type: "session.otp.email.checked", payload: { checkedAt } },
  { type: "session.recoveryCode.checked", payload: { checkedAt } },
];
const kept = (history: SessionEvent[], lost: LostProof[], epoch = 4, endings: RunningEnding[] = []) =>
  decideKeep(givenSession(...history), epoch, lost, endings);

describe("a session that goes on", () => {
  it.each<LostProof>([
    { factor: "password" },
    { factor: "totp" },
    { factor: "otpSms" },
    { factor: "otpEmail" },
    { factor: "recoveryCode" },
    { factor: "webAuthN", credentialId: "a" },
    { factor: "intent", idpId: "google" },
  ])("has what was lost no longer, and all else still: %o", (lost) => {
    const event = kept(proven, [lost])!;
    expect(event).toEqual({ type: "session.kept", payload: { userEpoch: 4, dropped: [lost.factor] } });
    const [before, after] = [givenSession(...proven), givenSession(...proven, event)];
    const { [lost.factor]: dropped, ...left } = before.factors;
    expect(dropped).toBeDefined();
    expect(after.factors).toEqual(left);
    expect(after).toMatchObject({
      status: "active",
      userId: "mia",
      userEpoch: 4,
      sequence: before.sequence + 1,
    });
  });

  it.each<LostProof>([
    { factor: "webAuthN", credentialId: "b" },
    { factor: "intent", idpId: "github" },
  ])("keeps what rests on another credential or provider: %o", (lost) => {
    expect(kept(proven, [lost])).toEqual({ type: "session.kept", payload: { userEpoch: 4, dropped: [] } });
  });

  it.each<[SessionEvent, LostProof]>([
    [
      { type: "session.webAuthN.checked", payload: { checkedAt } },
      { factor: "webAuthN", credentialId: "b" },
    ],
    [
      { type: "session.intent.checked", payload: { checkedAt } },
      { factor: "intent", idpId: "github" },
    ],
  ])("loses what does not say what it rests on: %o", (check, lost) => {
    expect(kept([user, check], [lost])!.payload).toMatchObject({ dropped: [lost.factor] });
  });

  it("loses nothing it never had", () => {
    expect(kept([user], [{ factor: "password" }, { factor: "totp" }])!.payload).toEqual({
      userEpoch: 4,
      dropped: [],
    });
  });

  it("has no event where nothing about it changes", () => {
    expect(kept([user], [{ factor: "totp" }], 3)).toBeUndefined();
    expect(kept(proven, [{ factor: "totp" }], 3)!.payload).toEqual({ userEpoch: 3, dropped: ["totp"] });
  });

  it("is not reached by a running bulk ending for what it has become", () => {
    const running = {
      id: "ending",
      filter: { factorsMissing: ["totp" as const] },
      actorId: "",
      createdAt: START,
    };
    const event = kept(proven, [{ factor: "totp" }], 4, [running])!;
    expect(givenSession(...proven, event).spared).toEqual(["ending"]);
    expect(givenSession(...proven, event, kept(proven, [], 5)!).spared).toBeNull();
  });
});
