import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { type Change, change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import { changeProofs } from "./change-proofs.ts";
import type { UserDependencies } from "./dependencies.ts";
import type { UserEvent } from "./events.ts";
import { judgeCode } from "./issued-code.ts";
import { encodePassword, type NewPassword } from "./new-password.ts";
import { decidePasswordAttempt, type PasswordVerification, verifyOnce } from "./password-check.ts";
import { accessible, mayAct } from "./permissions.ts";
import { heldBack } from "./tarpit.ts";
import { type UserState, userAggregate, userExists } from "./user.ts";

/** What stands in for the permission to write the user. */
export type PasswordProof = { currentPassword: string } | { verificationCode: string };

export type SetPassword = {
  userId: string;
  /** Undefined if the request left it out, which is refused. */
  password?: NewPassword | undefined;
  proof?: PasswordProof | undefined;
};

/**
 * Gives a person a new password: with the current one, with the code of a reset, or by permission (being the user is
 * none). Earlier password checks of the user's sessions no longer count, and the sessions end. A wrong current password is a failed attempt:
 * it is counted, and locks at the organization's limit. A wrong code locks nobody; its guesses are counted too.
 * @throws DomainError `auth.permission_denied`, `user.password_user_not_found`, `user.password_code_missing`,
 *   `user.password_locked`, `user.password_not_set`, `user.password_invalid`, `user.password_missing`,
 *   `user.password_unchanged`, `user.password_code_invalid`, `user.password_code_expired`, and what
 *   {@link encodePassword} refuses
 */
export async function setPassword(
  dependencies: UserDependencies,
  caller: Caller,
  { userId, password, proof }: SetPassword,
): Promise<Details> {
  const { events, users } = dependencies;
  const setter = passwordSetter(dependencies, password, proof);
  const attempt = async () => {
    const user = authorized(caller, await users.find(userId), proof);
    const decided = await setter(user, caller.userId);
    const { user: changed, others } = await changeProofs(dependencies, caller, user, decided);
    return detailsOf(changed.state, user.organizationId, await events.append([changed, ...others]));
  };
  // Guesses take turns, so that many of them at one user do not fill the hasher for everybody.
  return heldBack(dependencies.delay, () => events.decide(userId, attempt, { inTurn: proof !== undefined }));
}

/**
 * The events of a new password, after its proof; also for a request that changes more than the password.
 * A wrong current password is stored as a failed attempt and thrown. Verifies and hashes once, however often it is
 * called for the same command. Permissions are the caller's business.
 */
export function passwordSetter(
  dependencies: UserDependencies,
  password: NewPassword | undefined,
  proof: PasswordProof | undefined,
): (user: UserState, actorId: string) => Promise<UserEvent[]> {
  const verify = verifyOnce(dependencies);
  let encoding: Promise<string> | undefined;
  return async (user, actorId) => {
    if (user.type !== "human") throw new DomainError("user.password_user_not_found");
    if (proof && "verificationCode" in proof) {
      await proveByCode(dependencies, user, proof.verificationCode, actorId);
    } else if (proof) await proveCurrentPassword(dependencies, user, proof.currentPassword, verify, actorId);
    if (password === undefined) throw new DomainError("user.password_missing");
    encoding ??= encodePassword(dependencies, password);
    const encodedHash = await encoding;
    if (
      proof &&
      "currentPassword" in proof &&
      "password" in password &&
      password.password === proof.currentPassword
    ) {
      throw new DomainError("user.password_unchanged");
    }
    return [
      {
        type: "user.human.password.changed",
        payload: { encodedHash, changeRequired: password.changeRequired },
      },
    ];
  };
}

function authorized(
  caller: Caller,
  user: UserState | undefined,
  proof: PasswordProof | undefined,
): UserState {
  if (proof && "verificationCode" in proof) {
    // The code is all it takes, so a wrong user must not tell more than a wrong code does. A service account is one too.
    if (user !== undefined && userExists(user) && user.type === "human") return user;
    throw new DomainError(
      mayAct(caller, user, "user.write") ? "user.password_user_not_found" : "user.password_code_missing",
    );
  }
  const entitlement = proof ? "selfOrPermission" : "permission";
  return accessible(caller, user, "user.write", "user.password_user_not_found", entitlement);
}

async function proveByCode(
  dependencies: UserDependencies,
  user: UserState,
  code: string,
  actorId: string,
): Promise<void> {
  switch (judgeCode(dependencies, user.passwordCode, user.id, "password_code", code)) {
    case "right":
      return;
    case "none":
      throw new DomainError("user.password_code_missing");
    case "expired":
      throw new DomainError("user.password_code_expired");
    case "wrong": {
      const guess = { type: "user.human.password.code.check.failed", payload: {} } as const;
      const failed = change(userAggregate, user, [guess], actorId);
      await dependencies.events.append([failed]);
      const consecutiveFailures = failed.state.passwordCode?.failedAttempts ?? 0;
      throw new DomainError("user.password_code_invalid", { consecutiveFailures });
    }
  }
}

async function proveCurrentPassword(
  { events, organizations }: UserDependencies,
  user: UserState,
  password: string,
  verify: PasswordVerification,
  actorId: string,
): Promise<void> {
  if (user.status === "locked") {
    throw new DomainError("user.password_locked", { failedAttempts: user.passwordFailedAttempts });
  }
  if (user.passwordHash === null) throw new DomainError("user.password_not_set");
  const verdict = await verify(password, user.passwordHash);
  if (verdict.matches) return;
  const { maxPasswordAttempts } = await organizations.lockoutLimits(user.organizationId);
  const attempt = decidePasswordAttempt(user, verdict, maxPasswordAttempts);
  const failed: Change = change(userAggregate, user, attempt.events, actorId);
  await events.append([failed]);
  const failedAttempts = attempt.failedAttempts!;
  throw new DomainError("user.password_invalid", { failedAttempts, consecutiveFailures: failedAttempts });
}
