import type { Caller } from "../auth/caller.ts";
import { randomToken, uuidV7 } from "../crypto/random-ids.ts";
import { DomainError } from "../errors.ts";
import { change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import type { IdpDependencies } from "./dependencies.ts";
import { idpIntentAggregate } from "./intent.ts";
import { intentSecrets } from "./intent-secrets.ts";
import { ProviderFailure } from "./protocol/provider-failure.ts";
import { openProvider } from "./provider-secret.ts";
import { returnUrl } from "./return-url.ts";

/** How long a walk may take, and how long its result may wait to be used. */
export const INTENT_LIFETIME_MS = 3_600_000;

export type StartIntent = {
  idpId: string;
  /** Where the browser ends; a path is one on this server. */
  successUrl: string;
  failureUrl: string;
  /** Empty: no account is suggested. */
  loginHint: string;
};

/**
 * Begins a walk to an identity provider; any caller may, whoever will walk is not known yet.
 * @returns where to send the browser
 * @throws DomainError `idp.intent_provider_unknown`, `idp.return_url_invalid`, `idp.unavailable`, `idp.unusable`
 */
export async function startIntent(
  { events, identityProviders, providers, callbackUrl, encryptionKey, clock, instanceId }: IdpDependencies,
  caller: Caller,
  { idpId, successUrl, failureUrl, loginHint }: StartIntent,
): Promise<{ authUrl: string; details: Details }> {
  const provider = await identityProviders.find(idpId);
  if (provider?.status !== "active") throw new DomainError("idp.intent_provider_unknown");
  const redirectUri = callbackUrl();
  const [success, failure] = [returnUrl(successUrl, redirectUri), returnUrl(failureUrl, redirectUri)];

  const intentId = uuidV7();
  const secrets = { nonce: randomToken(16), codeVerifier: randomToken(32) };
  const authUrl = await providers
    .authorizationUrl(openProvider(encryptionKey, provider), {
      ...secrets,
      state: intentId,
      redirectUri,
      ...(loginHint === "" ? {} : { loginHint }),
    })
    .catch((error) => {
      throw refusalOf(error);
    });
  const started = change(
    idpIntentAggregate,
    idpIntentAggregate.initialState(intentId),
    [
      {
        type: "idpintent.started",
        payload: {
          idpId,
          successURL: success,
          failureURL: failure,
          secrets: intentSecrets.seal(encryptionKey, intentId, secrets),
          expiresAt: new Date(clock().getTime() + INTENT_LIFETIME_MS).toISOString(),
        },
      },
    ],
    caller.userId,
  );
  return { authUrl, details: detailsOf(started.state, instanceId, await events.append([started])) };
}

/** Whether it makes sense to try again later. */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof ProviderFailure)) return error;
  const slug = error.error === "temporarily_unavailable" ? "idp.unavailable" : "idp.unusable";
  return new DomainError(slug, { message: error.message });
}
