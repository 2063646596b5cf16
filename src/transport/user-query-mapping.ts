import { DomainError } from "../errors.ts";
import { type SearchQuery, Type, UserFieldName } from "../gen/zitadel/user/v2/query_pb.js";
import { UserState } from "../gen/zitadel/user/v2/user_pb.js";
import type { ListUsersRequest } from "../gen/zitadel/user/v2/user_service_pb.js";
import type { Condition } from "../storage/conditions.ts";
import type { UserCondition, UserSort, UserText } from "../storage/user-repository.ts";
import type { ListUsers } from "../user/user-queries.ts";
import { fromPage } from "./details-mapping.ts";
import { fromTextMethod } from "./filter-mapping.ts";

const userSorts: { [field in UserFieldName]: UserSort } = {
  [UserFieldName.UNSPECIFIED]: "createdAt",
  [UserFieldName.USER_NAME]: "username",
  [UserFieldName.FIRST_NAME]: "givenName",
  [UserFieldName.LAST_NAME]: "familyName",
  [UserFieldName.NICK_NAME]: "nickName",
  [UserFieldName.DISPLAY_NAME]: "displayName",
  [UserFieldName.EMAIL]: "email",
  [UserFieldName.STATE]: "status",
  [UserFieldName.TYPE]: "type",
  [UserFieldName.CREATION_DATE]: "createdAt",
};

export function fromListUsers({ query, sortingColumn, queries }: ListUsersRequest): ListUsers {
  return {
    ...fromPage(query),
    sort: userSorts[sortingColumn] ?? "createdAt",
    conditions: queries.map(fromUserQuery),
  };
}

type UserCriterion = Condition<UserCondition>;

function fromUserQuery({ query }: SearchQuery): UserCriterion {
  const text = (
    field: UserText,
    value: string,
    method: Parameters<typeof fromTextMethod>[1],
  ): UserCriterion => ({
    by: "text",
    field,
    match: fromTextMethod(value, method),
  });
  switch (query.case) {
    // The login name is the user name as it is.
    case "loginNameQuery":
      return text("username", query.value.loginName, query.value.method);
    case "userNameQuery":
      return text("username", query.value.userName, query.value.method);
    case "firstNameQuery":
      return text("givenName", query.value.firstName, query.value.method);
    case "lastNameQuery":
      return text("familyName", query.value.lastName, query.value.method);
    case "nickNameQuery":
      return text("nickName", query.value.nickName, query.value.method);
    case "displayNameQuery":
      return text("displayName", query.value.displayName, query.value.method);
    case "emailQuery":
      return text("email", query.value.emailAddress, query.value.method);
    case "phoneQuery":
      return text("phone", query.value.number, query.value.method);
    case "stateQuery":
      return stateCriteria[query.value.state];
    case "typeQuery":
      return typeCriteria[query.value.type];
    case "inUserIdsQuery":
      return { by: "ids", ids: query.value.userIds };
    case "inUserEmailsQuery":
      return { by: "emails", emails: query.value.userEmails };
    case "organizationIdQuery":
      return { by: "organizationId", id: query.value.organizationId };
    case "metadataKeyFilter":
      return { by: "metadataKey", match: fromTextMethod(query.value.key, query.value.method) };
    case "andQuery":
      return { by: "and", conditions: combined(query.value.queries) };
    case "orQuery":
      return { by: "or", conditions: combined(query.value.queries) };
    case "notQuery":
      if (query.value.query === undefined) throw new DomainError("user.query_empty");
      return { by: "not", condition: fromUserQuery(query.value.query) };
    default:
      throw new DomainError("user.query_empty");
  }
}

function combined(queries: readonly SearchQuery[]): UserCriterion[] {
  if (queries.length === 0) throw new DomainError("user.query_empty");
  return queries.map(fromUserQuery);
}

const nobody: UserCriterion = { by: "or", conditions: [] };

const stateCriteria: { [state in UserState]: UserCriterion } = {
  [UserState.UNSPECIFIED]: nobody,
  [UserState.ACTIVE]: { by: "status", status: "active" },
  [UserState.INACTIVE]: { by: "status", status: "inactive" },
  [UserState.DELETED]: nobody,
  [UserState.LOCKED]: { by: "status", status: "locked" },
  [UserState.INITIAL]: nobody,
};

const typeCriteria: { [type in Type]: UserCriterion } = {
  [Type.UNSPECIFIED]: nobody,
  [Type.HUMAN]: { by: "type", type: "human" },
  [Type.MACHINE]: { by: "type", type: "machine" },
};
