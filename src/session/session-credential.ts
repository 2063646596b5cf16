import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { secondFactorPolicy } from "../organization/second-factor-policy.ts";
import type { CallerRepository } from "../storage/caller-repository.ts";
import type { SessionDependencies } from "./dependencies.ts";
import { missingProof, provenFactors } from "./proven-factors.ts";
import { standing } from "./session.ts";
import { isCurrent } from "./session-token.ts";

/**
 * The caller behind a session token used as bearer credential (spec authorization §4). The session was used then.
 * @throws DomainError `auth.token_invalid` if the token was never issued here; `auth.session_not_found`,
 *   `auth.session_token_stale`, `auth.session_expired`; `auth.authentication_required` if nothing was proven yet,
 *   `auth.mfa_required` if not enough
 */
export async function callerOfSession(
  {
    sessions,
    tokens,
    uses,
    callers,
  }: Pick<SessionDependencies, "sessions" | "tokens" | "uses"> & { callers: CallerRepository },
  credential: string,
): Promise<Caller> {
  const token = tokens.read(credential);
  if (!token) throw new DomainError("auth.token_invalid");
  const record = await sessions.find(token.sessionId);
  if (!record) throw new DomainError("auth.session_not_found");
  const { session, user } = record;
  const stands = standing(record);
  if (stands === "ended") throw new DomainError("auth.session_not_found");
  if (!isCurrent(token, session)) throw new DomainError("auth.session_token_stale");
  if (stands === "expired") throw new DomainError("auth.session_expired");
  if (session.userId === null) throw new DomainError("auth.authentication_required");
  // There is one: without its user the session would have ended.
  const bearer = (await callers.sessionBearer(session.userId))!;
  const missing = missingProof(provenFactors(session, user), bearer, secondFactorPolicy(bearer.settings));
  if (missing) throw new DomainError(missing);
  await uses.note(record, session.userId);
  const organizationId = session.userOrganizationId!;
  return {
    userId: session.userId,
    organizationId,
    contextOrganizationId: organizationId,
    memberships: bearer.memberships,
    sessionId: session.id,
  };
}
