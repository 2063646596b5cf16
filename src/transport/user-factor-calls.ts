import type { ServiceImpl } from "@connectrpc/connect";
import type { UserService } from "../gen/zitadel/user/v2/user_service_pb.js";
import type { UserDependencies } from "../user/dependencies.ts";
import { addOtpFactor, removeOtpFactor } from "../user/otp-factors.ts";
import { generateRecoveryCodes, removeRecoveryCodes } from "../user/recovery-codes.ts";
import { registerTotp, removeTotp, verifyTotpRegistration } from "../user/totp.ts";
import { toDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";

/** `zitadel.user.v2.UserService`: authenticator apps, codes by SMS and e-mail, recovery codes. */
export function userFactorCalls(dependencies: UserDependencies) {
  return {
    async registerTOTP({ userId }, context) {
      const { details, uri, secret } = await registerTotp(dependencies, callerOf(context), userId);
      return { details: toDetails(details), uri, secret };
    },
    async verifyTOTPRegistration(request, context) {
      const details = await verifyTotpRegistration(dependencies, callerOf(context), request);
      return { details: toDetails(details) };
    },
    async removeTOTP({ userId }, context) {
      return { details: toDetails(await removeTotp(dependencies, callerOf(context), userId)) };
    },
    async addOTPSMS({ userId }, context) {
      const details = await addOtpFactor(dependencies, callerOf(context), userId, "otpSms");
      return { details: toDetails(details) };
    },
    async removeOTPSMS({ userId }, context) {
      const details = await removeOtpFactor(dependencies, callerOf(context), userId, "otpSms");
      return { details: toDetails(details) };
    },
    async addOTPEmail({ userId }, context) {
      const details = await addOtpFactor(dependencies, callerOf(context), userId, "otpEmail");
      return { details: toDetails(details) };
    },
    async removeOTPEmail({ userId }, context) {
      const details = await removeOtpFactor(dependencies, callerOf(context), userId, "otpEmail");
      return { details: toDetails(details) };
    },
    async generateRecoveryCodes(request, context) {
      const { details, codes } = await generateRecoveryCodes(dependencies, callerOf(context), request);
      return { details: toDetails(details), recoveryCodes: codes };
    },
    async removeRecoveryCodes({ userId }, context) {
      return { details: toDetails(await removeRecoveryCodes(dependencies, callerOf(context), userId)) };
    },
  } satisfies Partial<ServiceImpl<typeof UserService>>;
}
