import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { UserService } from "../gen/zitadel/user/v2/user_service_pb.js";
import { addHumanUser, createUser } from "../user/create-user.ts";
import { deleteUser } from "../user/delete-user.ts";
import type { UserDependencies } from "../user/dependencies.ts";
import {
  addPersonalAccessToken,
  listPersonalAccessTokens,
  removePersonalAccessToken,
} from "../user/personal-access-tokens.ts";
import { setPassword } from "../user/set-password.ts";
import { updateUser } from "../user/update-user.ts";
import { getUser, listUsers } from "../user/user-queries.ts";
import { changeUserState } from "../user/user-state.ts";
import { toDetails, toListDetails } from "./details-mapping.ts";
import { toPagination } from "./filter-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import {
  fromAddHumanUser,
  fromAddPersonalAccessToken,
  fromCreateUser,
  fromSetPassword,
  fromUpdateHumanUser,
  fromUpdateUser,
  toPersonalAccessToken,
  toUser,
} from "./user-mapping.ts";
import { fromListPersonalAccessTokens, fromListUsers } from "./user-query-mapping.ts";

/** `zitadel.user.v2.UserService`: message to command, call, result to message. */
export function userService(dependencies: UserDependencies): Partial<ServiceImpl<typeof UserService>> {
  return {
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
    async addPersonalAccessToken(request, context) {
      const command = fromAddPersonalAccessToken(request);
      const { tokenId, token, createdAt } = await addPersonalAccessToken(
        dependencies,
        callerOf(context),
        command,
      );
      return { tokenId, token, creationDate: timestampFromDate(createdAt) };
    },
    async removePersonalAccessToken(request, context) {
      const removedAt = await removePersonalAccessToken(dependencies, callerOf(context), request);
      return { deletionDate: timestampFromDate(removedAt) };
    },
    async listPersonalAccessTokens(request, context) {
      const query = fromListPersonalAccessTokens(request);
      const page = await listPersonalAccessTokens(dependencies, callerOf(context), query);
      return { pagination: toPagination(page), result: page.rows.map(toPersonalAccessToken) };
    },
  };
}
