import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { ContactKind } from "./contact.ts";
import type { UserDependencies } from "./dependencies.ts";
import type { UserEvent } from "./events.ts";
import { type CodeVerdict, judgeCode } from "./issued-code.ts";
import { mayAct } from "./permissions.ts";
import { heldBack } from "./tarpit.ts";
import { type UserState, userAggregate, userExists } from "./user.ts";

export type VerifyContact = { userId: string; code: string };

/**
 * Proves an e-mail address or a phone number with its code. The code is all it takes: whoever has it has read what was
 * sent there. A wrong one is counted, and answered the later the more there were.
 * @throws DomainError `user.code_empty`, `user.code_invalid` (wrong, expired, or there is none),
 *   `user.contact_not_found` for callers who may know
 */
export function verifyContact(
  dependencies: UserDependencies,
  caller: Caller,
  kind: ContactKind,
  { userId, code }: VerifyContact,
): Promise<Details> {
  const { events, users, delay } = dependencies;
  if (code.trim() === "") throw new DomainError("user.code_empty");
  return heldBack(delay, () =>
    events.decide(userId, async () => {
      const user = existing(caller, await users.find(userId));
      const verdict = judgeCode(dependencies, user[`${kind}Code`], userId, `${kind}_code`, code);
      const decided = decideVerification(kind, verdict);
      if (decided.length === 0) throw new DomainError("user.code_invalid");
      const changed = change(userAggregate, user, decided, caller.userId);
      const appendedAt = await events.append([changed]);
      if (verdict === "right") return detailsOf(changed.state, user.organizationId, appendedAt);
      const consecutiveFailures = changed.state[`${kind}Code`]?.failedAttempts ?? 0;
      throw new DomainError("user.code_invalid", { consecutiveFailures });
    }),
  );
}

/** What a code that was typed in leaves behind; where none is waited for, nothing. */
export function decideVerification(kind: ContactKind, verdict: CodeVerdict): UserEvent[] {
  switch (verdict) {
    case "right":
      return [{ type: `user.human.${kind}.verified`, payload: {} }];
    case "wrong":
    case "expired":
      return [{ type: `user.human.${kind}.verification.failed`, payload: {} }];
    case "none":
      return [];
  }
}

// A wrong user must not tell more than a wrong code does. A service account is one too.
function existing(caller: Caller, user: UserState | undefined): UserState {
  if (user !== undefined && userExists(user) && user.type === "human") return user;
  throw new DomainError(mayAct(caller, user, "user.write") ? "user.contact_not_found" : "user.code_invalid");
}
