import { DomainError } from "../errors.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { IdpDependencies } from "./dependencies.ts";
import { type IntentTokensOfProvider, providerTokens } from "./intent-secrets.ts";
import type { ExternalUser } from "./protocol/external-user.ts";

export type RetrievedIntent = {
  details: Details;
  idpId: string;
  user: ExternalUser;
  tokens: IntentTokensOfProvider;
  /** The user the account is linked to by now; undefined: none. */
  linkedUserId: string | undefined;
};

/**
 * Reads what a walk brought home. The token is the permission; it may be read until a session takes it as proof.
 * @throws DomainError `session.intent_token_…`, `idp.intent_not_succeeded`, `idp.intent_expired`
 */
export async function retrieveIntent(
  { identityProviders, intentTokens, encryptionKey, clock, instanceId }: IdpDependencies,
  { intentId, token }: { intentId: string; token: string },
): Promise<RetrievedIntent> {
  intentTokens.verify(token, intentId);
  const intent = await identityProviders.findIntent(intentId);
  if (intent?.status !== "succeeded") throw new DomainError("idp.intent_not_succeeded");
  if (intent.expiresAt! < clock()) throw new DomainError("idp.intent_expired");
  return {
    details: detailsOf(intent, instanceId),
    idpId: intent.idpId,
    user: intent.idpUser as ExternalUser,
    tokens: providerTokens.open(encryptionKey, intentId, intent.tokens!),
    linkedUserId: await identityProviders.linkedUserId(intent.idpId, intent.idpUserId!),
  };
}
