import type { JsonObject } from "@bufbuild/protobuf";

/**
 * Has the browser make a new key, a passkey or one for a second factor.
 * @param options what RegisterPasskey and RegisterU2F answer: `{ publicKey: … }`, binary members in base64url
 * @returns       what their Verify methods take
 * @throws DOMException
 */
export async function makeKey(options: JsonObject | undefined): Promise<JsonObject> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
    options!.publicKey as unknown as PublicKeyCredentialCreationOptionsJSON,
  );
  return jsonOf(await navigator.credentials.create({ publicKey }));
}

/**
 * Has the browser answer a challenge with one of its keys.
 * @param options what CreateSession and SetSession answer to a WebAuthn challenge
 * @returns       what the WebAuthn check takes
 * @throws DOMException
 */
export async function useKey(options: JsonObject | undefined): Promise<JsonObject> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
    options!.publicKey as unknown as PublicKeyCredentialRequestOptionsJSON,
  );
  return jsonOf(await navigator.credentials.get({ publicKey }));
}

// A PublicKeyCredential knows its own JSON form.
const jsonOf = (credential: Credential | null) => JSON.parse(JSON.stringify(credential)) as JsonObject;
