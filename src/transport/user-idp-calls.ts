import type { ServiceImpl } from "@connectrpc/connect";
import type { UserService } from "../gen/zitadel/user/v2/user_service_pb.js";
import type { IdpDependencies } from "../idp/dependencies.ts";
import { retrieveIntent } from "../idp/retrieve-intent.ts";
import { startIntent } from "../idp/start-intent.ts";
import type { UserDependencies } from "../user/dependencies.ts";
import { addIdpLink, listIdpLinks, removeIdpLink } from "../user/idp-links.ts";
import { fromPage, toDetails, toListDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import { fromAddIdpLink, fromStartIntent, toIdpLink, toRetrievedIntent } from "./user-idp-mapping.ts";

/** `zitadel.user.v2.UserService`: signing in at identity providers, and links to accounts there. */
export function userIdpCalls(users: UserDependencies, idps: IdpDependencies) {
  return {
    async startIdentityProviderIntent(request, context) {
      const { authUrl, details } = await startIntent(idps, callerOf(context), fromStartIntent(request));
      return { details: toDetails(details), nextStep: { case: "authUrl", value: authUrl } };
    },
    async retrieveIdentityProviderIntent({ idpIntentId: intentId, idpIntentToken: token }) {
      return toRetrievedIntent(await retrieveIntent(idps, { intentId, token }));
    },
    async addIDPLink(request, context) {
      return { details: toDetails(await addIdpLink(users, callerOf(context), fromAddIdpLink(request))) };
    },
    async listIDPLinks({ userId, query }, context) {
      const page = await listIdpLinks(users, callerOf(context), { userId, ...fromPage(query) });
      return { details: toListDetails(page.total, page.now), result: page.rows.map(toIdpLink) };
    },
    async removeIDPLink({ userId, idpId, linkedUserId: externalUserId }, context) {
      const details = await removeIdpLink(users, callerOf(context), { userId, idpId, externalUserId });
      return { details: toDetails(details) };
    },
  } satisfies Partial<ServiceImpl<typeof UserService>>;
}
