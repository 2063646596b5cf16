import type { SessionEvent } from "../../../src/session/events.ts";
import { control } from "../session-control/control.ts";
import type { Stage } from "./stage.ts";

/** What opens something, or helps to, in the events of sessions. */
const opening = ["tokenDigest", "code", "challenge", "challengeId", "verificationId", "allowedCrentialIDs"];

/** What every session's history says, and what there is in its events that it must not say. */
export async function historiesOf({
  house,
  cast,
}: Stage): Promise<{ texts: string[]; types: Set<string>; hidden: string[] }> {
  const events = await house.operate(({ db }) =>
    db
      .selectFrom("events")
      .select(["aggregateId", "payload"])
      .where("aggregateType", "=", "session")
      .execute(),
  );
  const hidden = events.flatMap(({ payload }) =>
    Object.entries(payload as SessionEvent["payload"])
      .filter(([field]) => opening.includes(field))
      .flatMap(([, value]) => (value === null ? [] : (value as string | string[]))),
  );
  const admin = control(house, cast.owner);
  const texts: string[] = [];
  const types = new Set<string>();
  for (const id of new Set(events.map(({ aggregateId }) => aggregateId))) {
    const history = (await admin.events(id, { limit: 1_000 })).events!;
    for (const { type } of history) types.add(type);
    texts.push(JSON.stringify(history), JSON.stringify(await admin.get(id)));
  }
  return { texts, types, hidden };
}
