import { DomainError, type ErrorSlug } from "../../errors.ts";
import type { SessionChallenges, WebAuthNCredential } from "../../storage/tables.ts";
import type { UserEvent } from "../../user/events.ts";
import type { UserState } from "../../user/user.ts";
import { eventPrefixes, kindAskedFor, readyCredentials } from "../../user/web-authn/credentials.ts";
import { type VerifiedAssertion, verifyAssertion } from "../../web-authn/authentication.ts";
import { readAssertion } from "../../web-authn/credential-json.ts";
import { WebAuthNError, type WebAuthNFailure } from "../../web-authn/web-authn-error.ts";
import type { CheckContext, CheckOutcome } from "./outcome.ts";

/** What becomes of a check whose authenticator may have a double; it is recorded either way. */
export type CloneWarning = "refuse" | "record";

type Challenge = NonNullable<SessionChallenges["webAuthN"]>;

/**
 * The answer to the open challenge, signed by one of the user's passkeys or security keys (spec session-api §10.4). It
 * uses the challenge up; a wrong one does not, since nobody can guess a signature.
 * @param json the browser's answer; nothing about it is known yet
 * @throws DomainError what {@link openChallenge} refuses; `session.web_auth_n_malformed`, `…_credential_unknown`,
 *   `…_invalid`
 */
export async function checkWebAuthN(
  context: CheckContext,
  json: unknown,
  cloneWarning: CloneWarning,
): Promise<CheckOutcome> {
  const { challenge, user } = openChallenge(context);
  const { credential, verified } = await verify(user, challenge, json);
  return decideWebAuthNCheck(credential, verified, cloneWarning, context.at);
}

/**
 * Refuses a check that could not succeed whatever the answer.
 * @throws DomainError `session.web_auth_n_no_challenge`, `…_without_user`, `…_user_not_found`, `…_expired`
 */
export function openChallenge({ session, user, at }: Pick<CheckContext, "session" | "user" | "at">): {
  challenge: Challenge;
  user: UserState;
} {
  const challenge = session.challenges.webAuthN;
  if (challenge === undefined) throw new DomainError("session.web_auth_n_no_challenge");
  if (user === undefined) throw new DomainError("session.web_auth_n_without_user");
  if (user.status !== "active") throw new DomainError("session.web_auth_n_user_not_found");
  if (new Date(challenge.expiresAt) < at) throw new DomainError("session.web_auth_n_expired");
  return { challenge, user };
}

const slugs: { readonly [failure in WebAuthNFailure]: ErrorSlug } = {
  malformed: "session.web_auth_n_malformed",
  refused: "session.web_auth_n_invalid",
};

async function verify(
  user: UserState,
  challenge: Challenge,
  json: unknown,
): Promise<{ credential: WebAuthNCredential; verified: VerifiedAssertion }> {
  try {
    const assertion = readAssertion(json);
    const credential = readyCredentials(user, kindAskedFor(challenge.userVerification)).find(
      ({ credentialId }) => credentialId === assertion.credentialId,
    );
    // Removed since the challenge, or never this user's.
    if (credential === undefined) throw new DomainError("session.web_auth_n_credential_unknown");
    const verified = await verifyAssertion(assertion, { ...challenge, userId: user.id }, credential);
    return { credential, verified };
  } catch (error) {
    if (error instanceof WebAuthNError) throw new DomainError(slugs[error.failure], { cause: error });
    throw error;
  }
}

/** What a good signature means for session and user. Its counter and the state of the backup are the user's to keep. */
export function decideWebAuthNCheck(
  credential: WebAuthNCredential,
  { userVerified, signCount, backedUp, cloneSuspected }: VerifiedAssertion,
  cloneWarning: CloneWarning,
  at: Date,
): CheckOutcome {
  const prefix = eventPrefixes[credential.kind];
  const { id: webAuthNTokenId, signCount: storedSignCount } = credential;
  const user: UserEvent[] = [];
  if (cloneSuspected) {
    user.push({
      type: `${prefix}.clone.suspected`,
      payload: { webAuthNTokenId, signCount, storedSignCount },
    });
    if (cloneWarning === "refuse") {
      return { session: [], user, failure: new DomainError("session.web_auth_n_cloned") };
    }
  }
  // The higher count stays: a copy that lags behind is to be noticed every time, not just once.
  const newSignCount = Math.max(signCount, storedSignCount);
  if (newSignCount !== storedSignCount || backedUp !== credential.backedUp) {
    const payload = { webAuthNTokenId, signCount: newSignCount, backedUp };
    user.push({ type: `${prefix}.signcount.changed`, payload });
  }
  const check = { checkedAt: at.toISOString(), credentialId: webAuthNTokenId };
  return {
    session: [
      { type: "session.webAuthN.checked", payload: userVerified ? { ...check, userVerified } : check },
    ],
    user,
  };
}
