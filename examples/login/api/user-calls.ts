import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { UserService } from "../../../src/gen/zitadel/user/v2/user_service_pb.js";
import { type Api, provenSession } from "./current-session.ts";
import { gatehouseClients } from "./gatehouse-clients.ts";

const RECOVERY_CODES = 8;

/**
 * What a browser may do with users: ask what its own has enrolled, and enrol more. The latter is called with the
 * session's own token, so Gatehouse itself decides what that session is good for; once a second factor is enrolled, a
 * session that has proven only one is refused.
 */
export function userCalls(api: Api) {
  /** The user of the asking browser, and Gatehouse as that user. */
  const asSelf = async (context: HandlerContext) => {
    const { held, userId } = await provenSession(api, context);
    return { userId, users: gatehouseClients(api.gatehouseUrl, held.sessionToken).users };
  };
  const { domain } = api;
  return {
    // Asked as the login client: the page needs to know which second factor to ask for before one is given.
    async listAuthenticationMethodTypes(_, context) {
      const { userId } = await provenSession(api, context);
      const domainQuery = { domain, includeWithoutDomain: true };
      return api.loginClient.users.listAuthenticationMethodTypes({ userId, domainQuery });
    },
    async registerTOTP(_, context) {
      const { userId, users } = await asSelf(context);
      return users.registerTOTP({ userId });
    },
    async verifyTOTPRegistration({ code }, context) {
      const { userId, users } = await asSelf(context);
      return users.verifyTOTPRegistration({ userId, code });
    },
    async registerPasskey(_, context) {
      const { userId, users } = await asSelf(context);
      return users.registerPasskey({ userId, domain });
    },
    async verifyPasskeyRegistration({ passkeyId, publicKeyCredential, passkeyName }, context) {
      const { userId, users } = await asSelf(context);
      return users.verifyPasskeyRegistration({ userId, passkeyId, publicKeyCredential, passkeyName });
    },
    async registerU2F(_, context) {
      const { userId, users } = await asSelf(context);
      return users.registerU2F({ userId, domain });
    },
    async verifyU2FRegistration({ u2fId, publicKeyCredential, tokenName }, context) {
      const { userId, users } = await asSelf(context);
      return users.verifyU2FRegistration({ userId, u2fId, publicKeyCredential, tokenName });
    },
    async addOTPEmail(_, context) {
      const { userId, users } = await asSelf(context);
      return users.addOTPEmail({ userId });
    },
    async addOTPSMS(_, context) {
      const { userId, users } = await asSelf(context);
      return users.addOTPSMS({ userId });
    },
    // New codes take the place of the old ones.
    async generateRecoveryCodes(_, context) {
      const { userId, users } = await asSelf(context);
      await users.removeRecoveryCodes({ userId });
      return users.generateRecoveryCodes({ userId, count: RECOVERY_CODES });
    },
  } satisfies Partial<ServiceImpl<typeof UserService>>;
}
