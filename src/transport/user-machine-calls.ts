import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { UserService } from "../gen/zitadel/user/v2/user_service_pb.js";
import { addSecret, removeSecret } from "../user/client-secret.ts";
import type { UserDependencies } from "../user/dependencies.ts";
import { addKey, listKeys, removeKey } from "../user/machine-keys.ts";
import {
  addPersonalAccessToken,
  listPersonalAccessTokens,
  removePersonalAccessToken,
} from "../user/personal-access-tokens.ts";
import { toPagination } from "./filter-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import {
  fromAddKey,
  fromAddPersonalAccessToken,
  fromListCredentials,
  toCredential,
  toKeyContent,
} from "./user-machine-mapping.ts";

/** What service accounts sign in with: tokens, keys, a secret. */
export const userMachineCalls = (dependencies: UserDependencies) =>
  ({
    async addPersonalAccessToken(request, context) {
      const command = fromAddPersonalAccessToken(request);
      const added = await addPersonalAccessToken(dependencies, callerOf(context), command);
      return { tokenId: added.tokenId, token: added.token, creationDate: timestampFromDate(added.createdAt) };
    },
    async removePersonalAccessToken(request, context) {
      const removedAt = await removePersonalAccessToken(dependencies, callerOf(context), request);
      return { deletionDate: timestampFromDate(removedAt) };
    },
    async listPersonalAccessTokens(request, context) {
      const query = fromListCredentials(request);
      const page = await listPersonalAccessTokens(dependencies, callerOf(context), query);
      return { pagination: toPagination(page), result: page.rows.map(toCredential) };
    },
    async addKey(request, context) {
      const command = fromAddKey(request);
      const added = await addKey(dependencies, callerOf(context), command);
      const keyContent = toKeyContent(command, added);
      return { keyId: added.keyId, keyContent, creationDate: timestampFromDate(added.createdAt) };
    },
    async removeKey(request, context) {
      const removedAt = await removeKey(dependencies, callerOf(context), request);
      return { deletionDate: timestampFromDate(removedAt) };
    },
    async listKeys(request, context) {
      const page = await listKeys(dependencies, callerOf(context), fromListCredentials(request));
      return { pagination: toPagination(page), result: page.rows.map(toCredential) };
    },
    async addSecret({ userId }, context) {
      const { secret, createdAt } = await addSecret(dependencies, callerOf(context), userId);
      return { clientSecret: secret, creationDate: timestampFromDate(createdAt) };
    },
    async removeSecret({ userId }, context) {
      const removedAt = await removeSecret(dependencies, callerOf(context), userId);
      return { deletionDate: timestampFromDate(removedAt) };
    },
  }) satisfies Partial<ServiceImpl<typeof UserService>>;
