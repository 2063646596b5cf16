import type { JsonObject } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { PasskeyAuthenticator } from "../gen/zitadel/user/v2/auth_pb.js";
import { AuthFactorState } from "../gen/zitadel/user/v2/user_pb.js";
import type {
  CreatePasskeyRegistrationLinkRequest,
  UserService,
} from "../gen/zitadel/user/v2/user_service_pb.js";
import type { UserDependencies } from "../user/dependencies.ts";
import {
  type CreateRegistrationLink,
  createRegistrationLink,
} from "../user/web-authn/create-registration-link.ts";
import { listPasskeys } from "../user/web-authn/list-passkeys.ts";
import { type RegisterCredential, registerCredential } from "../user/web-authn/register-credential.ts";
import { removeCredential } from "../user/web-authn/remove-credential.ts";
import { verifyCredentialRegistration } from "../user/web-authn/verify-registration.ts";
import { toDetails, toListDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";

/** `zitadel.user.v2.UserService`: passkeys, and security keys as a second factor. */
export function userWebAuthNCalls(dependencies: UserDependencies) {
  const rpIdOf = (domain: string, context: HandlerContext) =>
    domain || dependencies.publicHost || requestedHost(context);
  return {
    async registerPasskey({ userId, code, authenticator, domain }, context) {
      const { id, options, details } = await registerCredential(dependencies, callerOf(context), {
        userId,
        kind: "passkey",
        rpId: rpIdOf(domain, context),
        attachment: attachments[authenticator],
        code,
      });
      return {
        details: toDetails(details),
        passkeyId: id,
        publicKeyCredentialCreationOptions: options as JsonObject,
      };
    },
    async verifyPasskeyRegistration(
      { userId, passkeyId: id, publicKeyCredential, passkeyName: name },
      context,
    ) {
      const command = { userId, kind: "passkey", id, credential: publicKeyCredential, name } as const;
      const details = await verifyCredentialRegistration(dependencies, callerOf(context), command);
      return { details: toDetails(details) };
    },
    async createPasskeyRegistrationLink(request, context) {
      const command = fromCreatePasskeyRegistrationLink(request);
      const { details, code } = await createRegistrationLink(dependencies, callerOf(context), command);
      return { details: toDetails(details), code };
    },
    async listPasskeys({ userId }, context) {
      const passkeys = await listPasskeys(dependencies, callerOf(context), userId);
      return {
        details: toListDetails(passkeys.length, dependencies.clock()),
        result: passkeys.map(({ id, name }) => ({ id, name, state: AuthFactorState.READY })),
      };
    },
    async removePasskey({ userId, passkeyId: id }, context) {
      const command = { userId, kind: "passkey", id } as const;
      return { details: toDetails(await removeCredential(dependencies, callerOf(context), command)) };
    },
    async registerU2F({ userId, domain }, context) {
      const command = { userId, kind: "u2f", rpId: rpIdOf(domain, context) } as const;
      const { id, options, details } = await registerCredential(dependencies, callerOf(context), command);
      return {
        details: toDetails(details),
        u2fId: id,
        publicKeyCredentialCreationOptions: options as JsonObject,
      };
    },
    async verifyU2FRegistration({ userId, u2fId: id, publicKeyCredential, tokenName: name }, context) {
      const command = { userId, kind: "u2f", id, credential: publicKeyCredential, name } as const;
      const details = await verifyCredentialRegistration(dependencies, callerOf(context), command);
      return { details: toDetails(details) };
    },
    async removeU2F({ userId, u2fId: id }, context) {
      const command = { userId, kind: "u2f", id } as const;
      return { details: toDetails(await removeCredential(dependencies, callerOf(context), command)) };
    },
  } satisfies Partial<ServiceImpl<typeof UserService>>;
}

const attachments: { readonly [authenticator in PasskeyAuthenticator]: RegisterCredential["attachment"] } = {
  [PasskeyAuthenticator.UNSPECIFIED]: undefined,
  [PasskeyAuthenticator.PLATFORM]: "platform",
  [PasskeyAuthenticator.CROSS_PLATFORM]: "cross-platform",
};

/** The name the caller reached the server by; empty if it is none. */
function requestedHost({ requestHeader }: HandlerContext): string {
  return URL.parse(`http://${requestHeader.get("host")}`)?.hostname ?? "";
}

/** Without a medium the code is sent. */
function fromCreatePasskeyRegistrationLink({
  userId,
  medium,
}: CreatePasskeyRegistrationLinkRequest): CreateRegistrationLink {
  if (medium.case === "returnCode") return { userId, medium: "return" };
  return {
    userId,
    medium: { urlTemplate: medium.case === "sendLink" ? medium.value.urlTemplate : undefined },
  };
}
