import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { UserService } from "../gen/zitadel/user/v2/user_service_pb.js";
import type { IdpDependencies } from "../idp/dependencies.ts";
import { addHumanUser, createUser } from "../user/create-user.ts";
import { deleteUser } from "../user/delete-user.ts";
import type { UserDependencies } from "../user/dependencies.ts";
import { setPassword } from "../user/set-password.ts";
import { updateUser } from "../user/update-user.ts";
import { getUser, listUsers } from "../user/user-queries.ts";
import { changeUserState } from "../user/user-state.ts";
import { toDetails, toListDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import { userAuthenticationMethodCalls } from "./user-authentication-method-calls.ts";
import { userContactCalls } from "./user-contact-calls.ts";
import { userFactorCalls } from "./user-factor-calls.ts";
import { userIdpCalls } from "./user-idp-calls.ts";
import { userMachineCalls } from "./user-machine-calls.ts";
import {
  fromAddHumanUser,
  fromCreateUser,
  fromSetPassword,
  fromUpdateHumanUser,
  fromUpdateUser,
  toUser,
} from "./user-mapping.ts";
import { fromListUsers } from "./user-query-mapping.ts";
import { userWebAuthNCalls } from "./user-web-authn-calls.ts";

/** `zitadel.user.v2.UserService`: message to command, call, result to message. */
export function userService(
  dependencies: UserDependencies,
  idps: IdpDependencies,
): Partial<ServiceImpl<typeof UserService>> {
  return {
    ...userFactorCalls(dependencies),
    ...userIdpCalls(dependencies, idps),
    ...userMachineCalls(dependencies),
    ...userAuthenticationMethodCalls(dependencies),
    ...userContactCalls(dependencies),
    ...userWebAuthNCalls(dependencies),
    async createUser(request, context) {
      const created = await createUser(dependencies, callerOf(context), fromCreateUser(request));
      const { userId: id, details, emailCode, phoneCode } = created;
      return { id, creationDate: timestampFromDate(details.createdAt), emailCode, phoneCode };
    },
    async addHumanUser(request, context) {
      const created = await addHumanUser(dependencies, callerOf(context), fromAddHumanUser(request));
      const { userId, details, emailCode, phoneCode } = created;
      return { userId, details: toDetails(details), emailCode, phoneCode };
    },
    async getUserByID({ userId }, context) {
      const user = toUser(await getUser(dependencies, callerOf(context), userId));
      return { details: user.details, user };
    },
    async listUsers(request, context) {
      const { rows, total, now } = await listUsers(dependencies, callerOf(context), fromListUsers(request));
      const { sortingColumn } = request;
      return { details: toListDetails(total, now), sortingColumn, result: rows.map(toUser) };
    },
    async updateUser(request, context) {
      const updated = await updateUser(dependencies, callerOf(context), fromUpdateUser(request));
      const { details, emailCode, phoneCode } = updated;
      return { changeDate: timestampFromDate(details.changedAt), emailCode, phoneCode };
    },
    async updateHumanUser(request, context) {
      const updated = await updateUser(dependencies, callerOf(context), fromUpdateHumanUser(request));
      const { details, emailCode, phoneCode } = updated;
      return { details: toDetails(details), emailCode, phoneCode };
    },
    async deleteUser({ userId }, context) {
      return { details: toDetails(await deleteUser(dependencies, callerOf(context), userId)) };
    },
    async deactivateUser({ userId }, context) {
      const details = await changeUserState(dependencies, callerOf(context), "deactivate", userId);
      return { details: toDetails(details) };
    },
    async reactivateUser({ userId }, context) {
      const details = await changeUserState(dependencies, callerOf(context), "reactivate", userId);
      return { details: toDetails(details) };
    },
    async lockUser({ userId }, context) {
      const details = await changeUserState(dependencies, callerOf(context), "lock", userId);
      return { details: toDetails(details) };
    },
    async unlockUser({ userId }, context) {
      const details = await changeUserState(dependencies, callerOf(context), "unlock", userId);
      return { details: toDetails(details) };
    },
    async setPassword(request, context) {
      const details = await setPassword(dependencies, callerOf(context), fromSetPassword(request));
      return { details: toDetails(details) };
    },
  };
}
