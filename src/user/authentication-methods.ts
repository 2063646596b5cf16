import type { Caller } from "../auth/caller.ts";
import type { WebAuthNCredential } from "../storage/tables.ts";
import type { UserDependencies } from "./dependencies.ts";
import type { UserState } from "./user.ts";
import { getUser } from "./user-queries.ts";

/** A way to sign in, in the order the contract numbers them. */
export type AuthenticationMethod =
  | "password"
  | "passkey"
  | "idp"
  | "totp"
  | "u2f"
  | "otpSms"
  | "otpEmail"
  | "recoveryCode";

/** Which passkeys and security keys count: those of one relying party, and those of none if it says so. */
export type DomainQuery = { domain: string; includeWithoutDomain: boolean };

/**
 * The ways a user could sign in right now: oneself, or by `user.read`.
 * @param query.domain undefined: the domains of credentials do not matter
 * @throws DomainError `auth.permission_denied`, `user.not_found`
 */
export async function listAuthenticationMethods(
  dependencies: Pick<UserDependencies, "users">,
  caller: Caller,
  { userId, domain }: { userId: string; domain?: DomainQuery | undefined },
): Promise<AuthenticationMethod[]> {
  return authenticationMethods(await getUser(dependencies, caller, userId), domain);
}

/** What is set up and ready; registrations that wait are not. */
export function authenticationMethods(user: UserState, domain?: DomainQuery): AuthenticationMethod[] {
  const hasReady = (kind: WebAuthNCredential["kind"]) =>
    user.webAuthN.some(
      (credential) => credential.kind === kind && credential.pending === null && isOf(domain, credential),
    );
  const methods: [AuthenticationMethod, boolean][] = [
    ["password", user.passwordHash !== null],
    ["passkey", hasReady("passkey")],
    ["idp", user.idpLinks.length > 0],
    ["totp", user.totp?.ready === true],
    ["u2f", hasReady("u2f")],
    ["otpSms", user.otpSms],
    ["otpEmail", user.otpEmail],
    ["recoveryCode", (user.recoveryCodes?.length ?? 0) > 0],
  ];
  return methods.filter(([, isReady]) => isReady).map(([method]) => method);
}

function isOf(query: DomainQuery | undefined, { rpId }: WebAuthNCredential): boolean {
  if (query === undefined) return true;
  return rpId === "" ? query.includeWithoutDomain : rpId === query.domain;
}

export type SecondFactorState = "ready" | "notReady";

/** A second factor of a user; a security key has an id and a name, of the others there is one each. */
export type SecondFactor = { state: SecondFactorState } & (
  | { type: "totp" | "otpSms" | "otpEmail" }
  | { type: "u2f"; id: string; name: string }
);

export type ListSecondFactors = {
  userId: string;
  /** Undefined: every type. */
  types?: readonly SecondFactor["type"][] | undefined;
  /** Undefined: those that are ready. */
  states?: readonly SecondFactorState[] | undefined;
};

/**
 * The user's second factors: one's own, or by `user.read`.
 * @throws DomainError `auth.permission_denied`, `user.not_found`
 */
export async function listSecondFactors(
  dependencies: Pick<UserDependencies, "users">,
  caller: Caller,
  { userId, types, states = ["ready"] }: ListSecondFactors,
): Promise<SecondFactor[]> {
  return secondFactors(await getUser(dependencies, caller, userId)).filter(
    ({ type, state }) => (types?.includes(type) ?? true) && states.includes(state),
  );
}

/** Security keys first, oldest first; with those that wait for their first proof. */
function secondFactors({ webAuthN, totp, otpSms, otpEmail }: UserState): SecondFactor[] {
  const stateOf = (isReady: boolean): SecondFactorState => (isReady ? "ready" : "notReady");
  const factors: SecondFactor[] = webAuthN
    .filter(({ kind }) => kind === "u2f")
    .map(({ id, name, pending }) => ({ type: "u2f", id, name, state: stateOf(pending === null) }));
  if (totp) factors.push({ type: "totp", state: stateOf(totp.ready) });
  if (otpSms) factors.push({ type: "otpSms", state: "ready" });
  if (otpEmail) factors.push({ type: "otpEmail", state: "ready" });
  return factors;
}
