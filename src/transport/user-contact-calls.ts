import type { ServiceImpl } from "@connectrpc/connect";
import type { UserService } from "../gen/zitadel/user/v2/user_service_pb.js";
import type { ContactAnswer } from "../user/contact-answer.ts";
import type { UserDependencies } from "../user/dependencies.ts";
import { resetPassword } from "../user/password-reset.ts";
import { sendContactCode } from "../user/send-contact-code.ts";
import { removePhone, setContact } from "../user/set-contact.ts";
import { verifyContact } from "../user/verify-contact.ts";
import { toDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import { fromCodeRequest, fromPasswordReset, fromSetEmail, fromSetPhone } from "./user-contact-mapping.ts";

/** The methods about addresses, numbers and the codes that are sent to them. */
export function userContactCalls(dependencies: UserDependencies) {
  return {
    async setEmail(request, context) {
      return toAnswer(await setContact(dependencies, callerOf(context), "email", fromSetEmail(request)));
    },
    async resendEmailCode(request, context) {
      const command = fromCodeRequest(request, { again: true });
      return toAnswer(await sendContactCode(dependencies, callerOf(context), "email", command));
    },
    async sendEmailCode(request, context) {
      const command = fromCodeRequest(request, { again: false });
      return toAnswer(await sendContactCode(dependencies, callerOf(context), "email", command));
    },
    async verifyEmail({ userId, verificationCode: code }, context) {
      const details = await verifyContact(dependencies, callerOf(context), "email", { userId, code });
      return { details: toDetails(details) };
    },
    async setPhone(request, context) {
      return toAnswer(await setContact(dependencies, callerOf(context), "phone", fromSetPhone(request)));
    },
    async removePhone({ userId }, context) {
      return { details: toDetails(await removePhone(dependencies, callerOf(context), userId)) };
    },
    async resendPhoneCode(request, context) {
      const command = fromCodeRequest(request, { again: true });
      return toAnswer(await sendContactCode(dependencies, callerOf(context), "phone", command));
    },
    async verifyPhone({ userId, verificationCode: code }, context) {
      const details = await verifyContact(dependencies, callerOf(context), "phone", { userId, code });
      return { details: toDetails(details) };
    },
    async passwordReset(request, context) {
      return toAnswer(await resetPassword(dependencies, callerOf(context), fromPasswordReset(request)));
    },
  } satisfies Partial<ServiceImpl<typeof UserService>>;
}

const toAnswer = ({ details, verificationCode }: ContactAnswer) => ({
  details: toDetails(details),
  verificationCode,
});
