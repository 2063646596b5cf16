import type { DomainError } from "../../errors.ts";
import { type Change, change } from "../../storage/aggregate.ts";
import type { StoredSessionSettings } from "../../storage/instance-settings.ts";
import type { UserEvent } from "../../user/events.ts";
import { loginNameKey, type UserState, userAggregate } from "../../user/user.ts";
import type { SessionDependencies } from "../dependencies.ts";
import type { SessionEvent } from "../events.ts";
import type { SessionState } from "../session.ts";
import { checkIdpIntent } from "./idp-intent.ts";
import { checkOtp } from "./otp.ts";
import type { Check, CheckContext } from "./outcome.ts";
import { checkPassword } from "./password.ts";
import { checkRecoveryCode } from "./recovery-code.ts";
import { checkTotp } from "./totp.ts";
import { checkUser } from "./user.ts";
import type { Verifications } from "./verifications.ts";
import { checkWebAuthN } from "./web-authn.ts";

/** The checks of one request. */
export type Checks = {
  user?: { userId: string } | { loginName: string };
  password?: string;
  idpIntent?: { id: string; token: string };
  /** The assertion as `PublicKeyCredential.toJSON()` makes it; nothing about it is known yet. */
  webAuthN?: unknown;
  totp?: string;
  otpSms?: string;
  otpEmail?: string;
  recoveryCode?: string;
};

export type ChecksResult = {
  session: SessionEvent[];
  /** The session's user after the checks; undefined: none. */
  user: UserState | undefined;
  /** What else is to be stored: the user's own facts, and what was used up. */
  others: Change[];
  /** What the user's sessions are under, if it came along with the user and nothing took time since. */
  settings?: StoredSessionSettings | undefined;
  failure?: DomainError;
};

/**
 * Runs the checks in their fixed order, whatever the order on the wire. The first failure stops: of such a request
 * nothing is stored but that check's failed attempt, not even what earlier checks found out about the user.
 * @throws DomainError what a check refuses without leaving a trace on the user
 */
export async function runChecks(
  dependencies: SessionDependencies,
  session: SessionState,
  checks: Checks,
  verifications: Verifications,
  actorId: string,
): Promise<ChecksResult> {
  const { users, organizations, clock } = dependencies;
  const events: SessionEvent[] = [];
  let loaded: UserState | undefined;
  let settings: StoredSessionSettings | undefined;
  if (checks.user) {
    const found = await ("userId" in checks.user
      ? users.findOfSessions(checks.user.userId)
      : users.findOfSessionsByLoginName(loginNameKey(checks.user.loginName)));
    loaded = found?.user;
    settings = found?.settings;
    events.push(...checkUser(session, loaded, clock()).session);
  }
  const proofs = proofsOf(dependencies, checks, verifications);
  if (proofs.length === 0) {
    // A guard: whatever ends the user's sessions from now on has this one among them.
    const others = loaded ? [change(userAggregate, loaded, [], actorId)] : [];
    return { session: events, user: loaded, others, settings };
  }

  if (loaded === undefined && session.userId !== null) loaded = await users.find(session.userId);
  const user = loaded;
  const context: CheckContext = {
    session,
    user,
    lockout: () => organizations.lockoutLimits(user!.organizationId),
    at: clock(),
    actorId,
  };
  const others: Change[] = [];
  let userChange = user && change(userAggregate, user, [], actorId);
  for (const check of proofs) {
    const outcome = await check({ ...context, user: userChange?.state });
    if (outcome.failure) {
      const failed = user ? [change(userAggregate, user, outcome.user, actorId)] : [];
      return { session: [], user, others: failed, failure: outcome.failure };
    }
    events.push(...outcome.session);
    others.push(...(outcome.others ?? []));
    if (userChange) userChange = further(userChange, outcome.user, actorId);
  }
  // Also without events: what was proven was proven of the user as loaded.
  return {
    session: events,
    user: userChange?.state,
    others: userChange ? [userChange, ...others] : others,
  };
}

/** What is asked to be proven, in the order it is checked. */
function proofsOf(
  dependencies: SessionDependencies,
  checks: Checks,
  { password: verify, generatedCode }: Verifications,
): Check[] {
  const { encryptionKey, recoveryCodeKey } = dependencies;
  const { password, idpIntent, webAuthN, totp, otpSms, otpEmail, recoveryCode } = checks;
  const proofs: (Check | undefined)[] = [
    password === undefined ? undefined : (context) => checkPassword(context, password, verify),
    idpIntent && ((context) => checkIdpIntent(dependencies, context, idpIntent)),
    webAuthN === undefined
      ? undefined
      : (context) => checkWebAuthN(context, webAuthN, dependencies.webAuthNCloneWarning),
    totp === undefined ? undefined : (context) => checkTotp(context, totp, encryptionKey),
    otpSms === undefined
      ? undefined
      : (context) => checkOtp(context, "otpSms", otpSms, encryptionKey, generatedCode),
    otpEmail === undefined
      ? undefined
      : (context) => checkOtp(context, "otpEmail", otpEmail, encryptionKey, generatedCode),
    recoveryCode === undefined
      ? undefined
      : (context) => checkRecoveryCode(context, recoveryCode, recoveryCodeKey),
  ];
  return proofs.filter((proof) => proof !== undefined);
}

type UserChange = Change & { state: UserState };

/** The same change with more events. */
function further(first: UserChange, events: readonly UserEvent[], actorId: string): UserChange {
  const next = change(userAggregate, first.state, events, actorId);
  return { ...first, events: [...first.events, ...next.events], state: next.state };
}
