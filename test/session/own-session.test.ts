import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deleteSession } from "../../src/session/delete-session.ts";
import { standing } from "../../src/session/session.ts";
import { setSession } from "../../src/session/set-session.ts";
import type { UserRepository } from "../../src/storage/user-repository.ts";
import { removeOtpFactor } from "../../src/user/otp-factors.ts";
import { engines } from "../support/databases.ts";
import { caller } from "../support/given.ts";
import { owner } from "../user/house.ts";
import { addPerson, openRooms, outcomeOf, type Rooms, sessionOf } from "./rooms.ts";

describe.each(engines)("acts of a user by a session on %s", (engine) => {
  let rooms: Rooms;
  beforeAll(async () => {
    rooms = await openRooms(engine);
  });
  afterAll(() => rooms.close());

  const stands = async (sessionId: string) => standing((await rooms.sessions.find(sessionId))!);
  const by = (userId: string, sessionId: string) => ({ ...caller(userId), sessionId });

  it("end the others and not that one, which may go on to end the next", async () => {
    const ada = await addPerson(rooms, "ada");
    const [own, other] = [await sessionOf(ada, rooms), await sessionOf(ada, rooms)];
    await removeOtpFactor(rooms, by(ada.id, own.sessionId), ada.id, "otpSms");
    expect([await stands(own.sessionId), await stands(other.sessionId)]).toEqual(["active", "ended"]);
    const later = await sessionOf(ada, rooms);
    await removeOtpFactor(rooms, by(ada.id, own.sessionId), ada.id, "otpEmail");
    expect([await stands(own.sessionId), await stands(later.sessionId)]).toEqual(["active", "ended"]);
  });

  it("do not spare a session of somebody else, whatever it is used for", async () => {
    const [leo, mia] = [await addPerson(rooms, "leo"), await addPerson(rooms, "mia")];
    const [ofLeo, ofMia] = [await sessionOf(leo, rooms), await sessionOf(mia, rooms)];
    const administrator = { ...owner, userId: mia.id, sessionId: ofMia.sessionId };
    await removeOtpFactor(rooms, administrator, leo.id, "otpSms");
    expect([await stands(ofLeo.sessionId), await stands(ofMia.sessionId)]).toEqual(["ended", "active"]);
  });

  it("are refused once the session is over, and end nothing then", async () => {
    const zoe = await addPerson(rooms, "zoe");
    const [own, other] = [await sessionOf(zoe, rooms), await sessionOf(zoe, rooms)];
    await deleteSession(rooms, owner, { sessionId: own.sessionId });
    const act = removeOtpFactor(rooms, by(zoe.id, own.sessionId), zoe.id, "otpSms");
    expect(await outcomeOf(act)).toBe("auth.session_not_found");
    expect(await stands(other.sessionId)).toBe("active");
    expect((await rooms.users.find(zoe.id))!.otpSms).toBe(true);
  });

  it("are not undone by a user check that has read the session before them and the user after", async () => {
    const eve = await addPerson(rooms, "eve");
    const [own, other] = [await sessionOf(eve, rooms), await sessionOf(eve, rooms)];
    let hasActed = false;
    const acting = async () => {
      if (!hasActed) await removeOtpFactor(rooms, by(eve.id, own.sessionId), eve.id, "otpSms");
      hasActed = true;
    };
    const users: UserRepository = Object.assign(Object.create(rooms.users), {
      find: (id: string) => acting().then(() => rooms.users.find(id)),
      findOfSessions: (id: string) => acting().then(() => rooms.users.findOfSessions(id)),
    });
    const late = setSession({ ...rooms, users }, owner, {
      sessionId: other.sessionId,
      token: "",
      checks: { user: { userId: eve.id } },
      metadata: {},
      challenges: {},
    });
    expect(await outcomeOf(late)).toBe("session.terminated");
    expect([await stands(own.sessionId), await stands(other.sessionId)]).toEqual(["active", "ended"]);
  });
});
