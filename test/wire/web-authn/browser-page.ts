import type { JsonObject } from "@bufbuild/protobuf";
import { startAuthentication, startRegistration } from "@simplewebauthn/browser";
import { createClientFor } from "@zitadel/client";
import { createClientTransport } from "@zitadel/client/web";
import { UserVerificationRequirement } from "@zitadel/proto/zitadel/session/v2/challenge_pb.js";
import { SessionService } from "@zitadel/proto/zitadel/session/v2/session_service_pb.js";
import { UserService } from "@zitadel/proto/zitadel/user/v2/user_service_pb.js";

/** What runs in the browser: bundled, served on localhost, and called by the test through `pageFunctions`. */

type Credential = { toJSON(): JsonObject };
/** What this page uses of a browser's types, which Node does not have. */
declare const PublicKeyCredential: Readonly<
  Record<"parseCreationOptionsFromJSON" | "parseRequestOptionsFromJSON", (options: unknown) => object>
>;
declare const navigator: {
  credentials: Readonly<Record<"create" | "get", (options: { publicKey: object }) => Promise<Credential>>>;
};

export type Where = { url: string; token: string };

/** What a session shows of how its user signed in. */
export type SeenFactors = { password: boolean; webAuthN: { userVerified: boolean } | undefined };

const transportOf = ({ url, token }: Where) =>
  createClientTransport(token, { baseUrl: url } as Parameters<typeof createClientTransport>[1]);
const users = (where: Where) => createClientFor(UserService)(transportOf(where));
const sessions = (where: Where) => createClientFor(SessionService)(transportOf(where));

/** With the browser's own functions for JSON, as a page without any library would. */
async function registerPasskey(where: Where, userId: string): Promise<string> {
  const client = users(where);
  const { passkeyId, publicKeyCredentialCreationOptions } = await client.registerPasskey({ userId });
  const { publicKey } = publicKeyCredentialCreationOptions as JsonObject;
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
  const credential = await navigator.credentials.create({ publicKey: options });
  const publicKeyCredential = credential.toJSON();
  await client.verifyPasskeyRegistration({ userId, passkeyId, publicKeyCredential, passkeyName: "Browser" });
  return passkeyId;
}

/** With the library most pages use. */
async function registerU2F(where: Where, userId: string): Promise<string> {
  const client = users(where);
  const { u2fId, publicKeyCredentialCreationOptions } = await client.registerU2F({ userId });
  const { publicKey } = publicKeyCredentialCreationOptions as JsonObject;
  const credential = await startRegistration({ optionsJSON: publicKey as never });
  const publicKeyCredential = credential as unknown as JsonObject;
  await client.verifyU2FRegistration({ userId, u2fId, publicKeyCredential, tokenName: "Key" });
  return u2fId;
}

async function signInWithPasskey(where: Where, userId: string): Promise<SeenFactors> {
  const client = sessions(where);
  const { sessionId, challenges } = await client.createSession({
    checks: { user: { search: { case: "userId", value: userId } } },
    challenges: {
      webAuthN: { domain: "localhost", userVerificationRequirement: UserVerificationRequirement.REQUIRED },
    },
  });
  const { publicKey } = challenges!.webAuthN!.publicKeyCredentialRequestOptions as JsonObject;
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
  const credential = await navigator.credentials.get({ publicKey: options });
  const credentialAssertionData = credential.toJSON();
  await client.setSession({ sessionId, checks: { webAuthN: { credentialAssertionData } } });
  return seen(where, sessionId);
}

/** First the password, then the key. */
async function signInWithKey(
  where: Where,
  userId: string,
  password: string,
  userVerificationRequirement: number,
): Promise<SeenFactors> {
  const client = sessions(where);
  const { sessionId } = await client.createSession({
    checks: { user: { search: { case: "userId", value: userId } }, password: { password } },
  });
  const { challenges } = await client.setSession({
    sessionId,
    challenges: { webAuthN: { domain: "localhost", userVerificationRequirement } },
  });
  const { publicKey } = challenges!.webAuthN!.publicKeyCredentialRequestOptions as JsonObject;
  const credential = await startAuthentication({ optionsJSON: publicKey as never });
  const credentialAssertionData = credential as unknown as JsonObject;
  await client.setSession({ sessionId, checks: { webAuthN: { credentialAssertionData } } });
  return seen(where, sessionId);
}

async function seen(where: Where, sessionId: string): Promise<SeenFactors> {
  const { factors } = (await sessions(where).getSession({ sessionId })).session!;
  const { password, webAuthN } = factors!;
  return {
    password: password?.verifiedAt !== undefined,
    webAuthN: webAuthN && { userVerified: webAuthN.userVerified },
  };
}

/** The name of the error a call of the page ends with. */
async function failureOf(where: Where, userId: string): Promise<string> {
  return registerPasskey(where, userId).then(
    () => "none",
    (error: Error) => error.name,
  );
}

export const functions = { registerPasskey, registerU2F, signInWithPasskey, signInWithKey, failureOf };
export type PageFunctions = typeof functions;

Object.assign(globalThis, { pageFunctions: functions });
