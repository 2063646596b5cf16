import { isUuid } from "../crypto/random-ids.ts";
import { change } from "../storage/aggregate.ts";
import type { IdpDependencies } from "./dependencies.ts";
import type { IdpIntentEvent } from "./events.ts";
import { type IdpIntentState, idpIntentAggregate } from "./intent.ts";
import { intentSecrets, providerTokens } from "./intent-secrets.ts";
import { ProviderFailure } from "./protocol/provider-failure.ts";
import type { SignIn } from "./protocol/sign-in.ts";
import { openProvider } from "./provider-secret.ts";
import { withParameters } from "./return-url.ts";
import { INTENT_LIFETIME_MS } from "./start-intent.ts";

/** How a walk ended, and where the browser goes. */
export type FinishedIntent = { intentId: string; outcome: "succeeded" | "failed"; location: string };

/**
 * Takes what the provider sent back and ends the walk it belongs to, whatever it says. Each walk ends once: who comes
 * second, or with a state nobody gave out, is sent nowhere.
 * @param parameters of the callback; the state is the intent's id
 * @returns undefined if no walk under way has this state
 */
export async function finishIntent(
  dependencies: IdpDependencies,
  parameters: URLSearchParams,
): Promise<FinishedIntent | undefined> {
  const intentId = parameters.get("state") ?? "";
  if (!isUuid(intentId)) return undefined;
  const { events, identityProviders, clock } = dependencies;
  // In turn: a browser that asks twice at once must not have the second answer, an error, win over the first.
  return events.decide(
    intentId,
    async () => {
      const intent = await identityProviders.findIntent(intentId);
      if (intent?.status !== "started" || intent.expiresAt! <= clock()) return undefined;
      const ending = await endingOf(dependencies, intent, parameters);
      // Nobody is signed in here: the provider speaks.
      const ended = change(idpIntentAggregate, intent, [ending.event], intent.idpId);
      await events.append([ended]);
      return { intentId, outcome: ending.outcome, location: ending.location };
    },
    { inTurn: true },
  );
}

type Ending = { event: IdpIntentEvent } & Pick<FinishedIntent, "outcome" | "location">;

async function endingOf(
  dependencies: IdpDependencies,
  intent: IdpIntentState,
  parameters: URLSearchParams,
): Promise<Ending> {
  try {
    const signIn = await signInOf(dependencies, intent, parameters);
    const userId = await dependencies.identityProviders.linkedUserId(intent.idpId, signIn.user.id);
    return success(dependencies, intent, signIn, userId);
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error;
    return {
      outcome: "failed",
      event: { type: "idpintent.failed", payload: { reason: error.error } },
      location: withParameters(intent.failureUrl, {
        id: intent.id,
        error: error.error,
        error_description: error.message,
      }),
    };
  }
}

/** @throws ProviderFailure */
async function signInOf(
  { identityProviders, providers, callbackUrl, encryptionKey }: IdpDependencies,
  intent: IdpIntentState,
  parameters: URLSearchParams,
): Promise<SignIn> {
  const provider = await identityProviders.find(intent.idpId);
  if (provider?.status !== "active") {
    throw new ProviderFailure("access_denied", "the identity provider is not in use any more");
  }
  return providers.exchange(openProvider(encryptionKey, provider), parameters, {
    ...intentSecrets.open(encryptionKey, intent.id, intent.secrets!),
    state: intent.id,
    redirectUri: callbackUrl(),
  });
}

function success(
  { intentTokens, encryptionKey, clock }: IdpDependencies,
  intent: IdpIntentState,
  { user, ...tokens }: SignIn,
  userId: string | undefined,
): Ending {
  return {
    outcome: "succeeded",
    event: {
      type: "idpintent.succeeded",
      payload: {
        idpUser: user,
        idpUserId: user.id,
        idpUserName: user.userName,
        ...(userId === undefined ? {} : { userId }),
        tokens: providerTokens.seal(encryptionKey, intent.id, tokens),
        expiresAt: new Date(clock().getTime() + INTENT_LIFETIME_MS).toISOString(),
      },
    },
    location: withParameters(intent.successUrl, {
      id: intent.id,
      token: intentTokens.issue(intent.id),
      ...(userId === undefined ? {} : { user: userId }),
    }),
  };
}
