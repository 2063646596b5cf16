import { openText, sealText } from "../crypto/sealed-text.ts";

/** What only we and the provider know of a walk under way. */
export type IntentSecrets = { nonce: string; codeVerifier: string };

/** What the provider handed out for the user. */
export type IntentTokensOfProvider = {
  accessToken: string;
  idToken?: string | undefined;
  refreshToken?: string | undefined;
};

/** Seals JSON for one intent and one of its columns. */
function seal<T>(part: "secrets" | "tokens") {
  const bindingOf = (intentId: string) => `idpintent/${intentId}/${part}`;
  return {
    seal: (encryptionKey: Uint8Array, intentId: string, value: T): string =>
      sealText(encryptionKey, JSON.stringify(value), bindingOf(intentId)),
    open: (encryptionKey: Uint8Array, intentId: string, sealed: string): T =>
      JSON.parse(openText(encryptionKey, sealed, bindingOf(intentId))) as T,
  };
}

/** PKCE verifier and nonce of a walk that is not back yet. */
export const intentSecrets = seal<IntentSecrets>("secrets");

/** The provider's tokens of a walk that succeeded and was not used up yet. */
export const providerTokens = seal<IntentTokensOfProvider>("tokens");
