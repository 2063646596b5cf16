import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { DomainError } from "../errors.ts";
import type { PaginationRequest } from "../gen/zitadel/filter/v2/filter_pb.js";
import type { KeyFieldName, KeySchema, KeysSearchFilter } from "../gen/zitadel/user/v2/key_pb.js";
import {
  PersonalAccessTokenFieldName,
  type PersonalAccessTokenSchema,
  type PersonalAccessTokensSearchFilter,
} from "../gen/zitadel/user/v2/pat_pb.js";
import type { AddKeyRequest, AddPersonalAccessTokenRequest } from "../gen/zitadel/user/v2/user_service_pb.js";
import type { CredentialCondition, CredentialSort } from "../storage/machine-credential-search.ts";
import type { MachineKeyRow, PersonalAccessTokenRow } from "../storage/tables.ts";
import type { ListCredentials } from "../user/machine-credentials.ts";
import type { AddedKey, AddKey } from "../user/machine-keys.ts";
import type { AddPersonalAccessToken } from "../user/personal-access-tokens.ts";
import { fromPage } from "./details-mapping.ts";
import { fromTimestampFilter } from "./filter-mapping.ts";

/** The instants that stand for "never": the zero of a timestamp, the zero of Go's time, and the end of the year 9999. */
const NEVER_SECONDS = [0n, -62_135_596_800n, 253_402_300_799n];
const NEVER = new Date("9999-12-31T23:59:59Z");

/** @returns undefined: never */
function fromExpiration(date: Timestamp | undefined): Date | undefined {
  const isNever = date === undefined || (date.nanos === 0 && NEVER_SECONDS.includes(date.seconds));
  return isNever ? undefined : timestampDate(date);
}

/** Of the request of the user service, or of the older one. */
export function fromAddPersonalAccessToken(
  request: Pick<AddPersonalAccessTokenRequest, "userId" | "expirationDate">,
): AddPersonalAccessToken {
  return { userId: request.userId, expiresAt: fromExpiration(request.expirationDate) };
}

export function fromAddKey({ userId, expirationDate, publicKey }: AddKeyRequest): AddKey {
  return { userId, expiresAt: fromExpiration(expirationDate), publicKey: Buffer.from(publicKey).toString() };
}

/** The key as a file for the program that signs with it; nothing if that made its key itself. */
export function toKeyContent({ userId, expiresAt }: AddKey, { keyId, privateKey }: AddedKey): Uint8Array {
  if (privateKey === undefined) return new Uint8Array(0);
  const expirationDate = (expiresAt ?? NEVER).toISOString();
  return Buffer.from(
    JSON.stringify({ type: "serviceaccount", keyId, key: privateKey, expirationDate, userId }),
  );
}

/** A token or a key as lists show it: without what it opens with. */
export function toCredential(
  row: PersonalAccessTokenRow | MachineKeyRow,
): MessageInitShape<typeof PersonalAccessTokenSchema> & MessageInitShape<typeof KeySchema> {
  const createdAt = timestampFromDate(row.createdAt);
  return {
    id: row.id,
    userId: row.userId,
    organizationId: row.organizationId,
    creationDate: createdAt,
    // It is never changed, only revoked.
    changeDate: createdAt,
    expirationDate: timestampFromDate(row.expiresAt ?? NEVER),
  };
}

const sorts: { [field in PersonalAccessTokenFieldName]: CredentialSort } = {
  [PersonalAccessTokenFieldName.UNSPECIFIED]: "createdAt",
  [PersonalAccessTokenFieldName.CREATED_DATE]: "createdAt",
  [PersonalAccessTokenFieldName.ID]: "id",
  [PersonalAccessTokenFieldName.USER_ID]: "userId",
  [PersonalAccessTokenFieldName.ORGANIZATION_ID]: "organizationId",
  [PersonalAccessTokenFieldName.EXPIRATION_DATE]: "expiresAt",
};

/** The two lists differ in names only; their sorting columns are numbered alike. */
export function fromListCredentials(request: {
  pagination?: PaginationRequest | undefined;
  sortingColumn?: PersonalAccessTokenFieldName | KeyFieldName | undefined;
  filters: readonly (PersonalAccessTokensSearchFilter | KeysSearchFilter)[];
}): ListCredentials {
  const column = (request.sortingColumn ?? 0) as number as PersonalAccessTokenFieldName;
  return {
    ...fromPage(request.pagination),
    sort: sorts[column] ?? "createdAt",
    conditions: request.filters.map(fromFilter),
  };
}

function fromFilter({ filter }: PersonalAccessTokensSearchFilter | KeysSearchFilter): CredentialCondition {
  switch (filter.case) {
    case "tokenIdFilter":
    case "keyIdFilter":
      return { by: "id", id: filter.value.id };
    case "userIdFilter":
      return { by: "userId", id: filter.value.id };
    case "organizationIdFilter":
      return { by: "organizationId", id: filter.value.id };
    case "createdDateFilter":
      return { by: "createdAt", ...fromTimestampFilter(filter.value) };
    case "expirationDateFilter":
      return { by: "expiresAt", ...fromTimestampFilter(filter.value) };
    default:
      throw new DomainError("user.query_empty");
  }
}
