import type { ServiceImpl } from "@connectrpc/connect";
import type { AddEmailProviderSMTPRequest, AdminService } from "../gen/zitadel/admin/v1/admin_service_pb.js";
import {
  activateProvider,
  addSmtpProvider,
  addTwilioProvider,
  addWebhookProvider,
  deactivateProvider,
  removeProvider,
} from "../notification/provider-commands.ts";
import type { SmtpAuth, SmtpProvider } from "../notify/smtp.ts";
import type { UserDependencies } from "../user/dependencies.ts";
import { toObjectDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";

type Dependencies = Pick<UserDependencies, "events" | "organizations" | "encryptionKey">;

/** How mails and text messages leave the house. */
export function adminDeliveryCalls(dependencies: Dependencies) {
  return {
    async addSMSProviderTwilio(request, context) {
      const { id, details } = await addTwilioProvider(dependencies, callerOf(context), request);
      return { id, details: toObjectDetails(details) };
    },
    async addSMSProviderHTTP(request, context) {
      const added = await addWebhookProvider(dependencies, callerOf(context), "sms", request);
      return { ...added, details: toObjectDetails(added.details) };
    },
    async activateSMSProvider({ id }, context) {
      return { details: toObjectDetails(await activateProvider(dependencies, callerOf(context), "sms", id)) };
    },
    async deactivateSMSProvider({ id }, context) {
      return {
        details: toObjectDetails(await deactivateProvider(dependencies, callerOf(context), "sms", id)),
      };
    },
    async removeSMSProvider({ id }, context) {
      return { details: toObjectDetails(await removeProvider(dependencies, callerOf(context), "sms", id)) };
    },
    async addEmailProviderSMTP(request, context) {
      const { id, details } = await addSmtpProvider(dependencies, callerOf(context), fromSmtp(request));
      return { id, details: toObjectDetails(details) };
    },
    async addEmailProviderHTTP(request, context) {
      const added = await addWebhookProvider(dependencies, callerOf(context), "email", request);
      return { ...added, details: toObjectDetails(added.details) };
    },
    async activateEmailProvider({ id }, context) {
      return {
        details: toObjectDetails(await activateProvider(dependencies, callerOf(context), "email", id)),
      };
    },
    async deactivateEmailProvider({ id }, context) {
      return {
        details: toObjectDetails(await deactivateProvider(dependencies, callerOf(context), "email", id)),
      };
    },
    async removeEmailProvider({ id }, context) {
      return { details: toObjectDetails(await removeProvider(dependencies, callerOf(context), "email", id)) };
    },
  } satisfies Partial<ServiceImpl<typeof AdminService>>;
}

function fromSmtp(request: AddEmailProviderSMTPRequest): SmtpProvider & { description: string } {
  const { host, tls, senderAddress, senderName, replyToAddress, description } = request;
  return {
    host,
    tls,
    senderAddress,
    senderName,
    ...(replyToAddress === "" ? {} : { replyToAddress }),
    auth: fromAuth(request),
    description,
  };
}

/** Older clients give user and password and choose nothing. */
function fromAuth({ user, password, Auth: auth }: AddEmailProviderSMTPRequest): SmtpAuth {
  switch (auth.case) {
    case "plain":
      return { type: "plain", user, password: auth.value.password };
    case "xoauth2": {
      const { tokenEndpoint, scopes, OAuth2Type: grant } = auth.value;
      const { clientId = "", clientSecret = "" } = grant.value ?? {};
      return { type: "xoauth2", user, tokenEndpoint, scopes, clientId, clientSecret };
    }
    case "none":
      return { type: "none" };
    default:
      return user === "" ? { type: "none" } : { type: "plain", user, password };
  }
}
