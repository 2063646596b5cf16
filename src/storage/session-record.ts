import { selectList } from "./row-table.ts";
import type { RunningEnding, SessionRecord } from "./session-repository.ts";
import { type SessionRow, sessionTable, type UserStatus } from "./tables.ts";

/** A session beside what it shows of its user, as one row. */
export type FlatRecord = SessionRow & {
  userStatus: UserStatus | null;
  userSessionEpoch: number;
  userPasswordEpoch: number;
  userLoginName: string;
  userDisplayName: string | null;
};

/** The columns of a {@link FlatRecord}: `s` is a session, `u` its user. */
export const recordColumns = `${selectList(sessionTable, "s")},
u.status AS "userStatus", u.session_epoch AS "userSessionEpoch", u.password_epoch AS "userPasswordEpoch",
u.username AS "userLoginName", u.display_name AS "userDisplayName"`;

/** @param moment when the row was read, and the bulk endings that were running then */
export function nest(
  row: FlatRecord,
  { now, endings }: { now: Date; endings: readonly RunningEnding[] },
): SessionRecord {
  const { userStatus, userSessionEpoch, userPasswordEpoch, userLoginName, userDisplayName, ...session } = row;
  return {
    session,
    now,
    endings,
    user:
      userStatus === null
        ? null
        : {
            status: userStatus,
            sessionEpoch: userSessionEpoch,
            passwordEpoch: userPasswordEpoch,
            loginName: userLoginName,
            displayName: userDisplayName ?? "",
          },
  };
}
