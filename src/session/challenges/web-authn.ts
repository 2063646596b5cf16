import { randomToken } from "../../crypto/random-ids.ts";
import { DomainError } from "../../errors.ts";
import type { UserVerification } from "../../storage/tables.ts";
import { kindAskedFor, readyCredentials } from "../../user/web-authn/credentials.ts";
import { AUTHENTICATION_TIMEOUT_MS, requestOptions } from "../../web-authn/authentication.ts";
import { isRelyingPartyId } from "../../web-authn/relying-party.ts";
import type { ChallengeContext, ChallengeOutcome } from "./run-challenges.ts";

/** The levels by their numbers in the event. */
const levels = { required: 1, preferred: 2, discouraged: 3 } as const;

/**
 * A challenge to sign with one of the user's credentials (spec session-api §11.1). It is good for as long as the browser
 * is told to wait.
 * @param request.domain the relying party
 * @throws DomainError `session.web_auth_n_without_user`, `…_user_not_found`, `…_domain_invalid`, `…_begin_failed`
 */
export function challengeWebAuthN(
  { user, at }: ChallengeContext,
  { domain: rpId, userVerification }: { domain: string; userVerification: UserVerification },
): ChallengeOutcome {
  if (user === undefined) throw new DomainError("session.web_auth_n_without_user");
  if (user.status !== "active") throw new DomainError("session.web_auth_n_user_not_found");
  if (!isRelyingPartyId(rpId)) throw new DomainError("session.web_auth_n_domain_invalid");
  const allowedCredentialIds = readyCredentials(user, kindAskedFor(userVerification))
    .filter((credential) => credential.rpId === rpId)
    .map(({ credentialId }) => credentialId);
  if (allowedCredentialIds.length === 0) throw new DomainError("session.web_auth_n_begin_failed");
  const challenge = randomToken(32);
  const payload = {
    challenge,
    allowedCrentialIDs: allowedCredentialIds,
    userVerification: levels[userVerification],
    rpid: rpId,
    expiresAt: new Date(at.getTime() + AUTHENTICATION_TIMEOUT_MS[userVerification]).toISOString(),
  };
  return {
    session: [{ type: "session.webAuthN.challenged", payload }],
    others: [],
    answer: { webAuthN: requestOptions({ challenge, rpId, allowedCredentialIds, userVerification }) },
  };
}
