import { readdirSync } from "node:fs";
import {
  create,
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
  type JsonObject,
  type JsonValue,
  type MessageInitShape,
  ScalarType,
  toJson,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import {
  FieldRulesSchema as WitnessFieldRulesSchema,
  required as witnessOneofRequired,
  rules as witnessRules,
} from "@zitadel/proto/validate/validate_pb.js";
import { auth_option as olderAuthOption } from "@zitadel/proto/zitadel/options_pb.js";
import { options as witnessOptions } from "@zitadel/proto/zitadel/protoc_gen_zitadel/v2/options_pb.js";
import { describe, expect, test } from "vitest";
import { isPermission } from "../../src/auth/roles.ts";
import {
  FieldRulesSchema,
  field as fieldRules,
  oneof as oneofRules,
} from "../../src/gen/buf/validate/validate_pb.js";
import { permission, success_code } from "../../src/gen/gatehouse/options_pb.js";
import { http } from "../../src/gen/google/api/annotations_pb.js";
import { HttpRuleSchema } from "../../src/gen/google/api/http_pb.js";
import { TimestampQueryMethod } from "../../src/gen/zitadel/object_pb.js";
import {
  type RequestChallengesSchema,
  UserVerificationRequirement,
} from "../../src/gen/zitadel/session/v2/challenge_pb.js";
import type { SearchQuerySchema } from "../../src/gen/zitadel/session/v2/session_pb.js";
import {
  type ChecksSchema,
  CreateSessionRequestSchema,
  DeleteSessionRequestSchema,
  GetSessionRequestSchema,
  ListSessionsRequestSchema,
  SetSessionRequestSchema,
} from "../../src/gen/zitadel/session/v2/session_service_pb.js";

const name200 = '{"string":{"minLen":"1","maxLen":"200"}}';
const token500 = '{"string":{"minLen":"1","maxLen":"500"}}';
const metadataLimits =
  '{"map":{"maxPairs":"64","keys":{"string":{"minLen":"1","maxLen":"200"}},"values":{"bytes":{"maxLen":"65536"}}}}';

/**
 * Where we differ from the witness on purpose: our fact (null: we have none), under the reason. The test fails for a
 * difference that is missing here, and for an entry that is no difference any more.
 */
const differences: { reason: string; facts: Record<string, string | null> }[] = [
  {
    reason: "recovery codes came later than the witness",
    facts: {
      "zitadel.session.v2.Checks.recovery_code":
        "8 recoveryCode zitadel.session.v2.CheckRecoveryCode EXPLICIT",
      "zitadel.session.v2.CheckRecoveryCode": "message",
      "zitadel.session.v2.CheckRecoveryCode.code": "1 code STRING IMPLICIT",
      "zitadel.session.v2.CheckRecoveryCode.code rules": name200,
      "zitadel.session.v2.Factors.recovery_code":
        "8 recoveryCode zitadel.session.v2.RecoveryCodeFactor EXPLICIT",
      "zitadel.session.v2.RecoveryCodeFactor": "message",
      "zitadel.session.v2.RecoveryCodeFactor.verified_at": "1 verifiedAt google.protobuf.Timestamp EXPLICIT",
      "zitadel.settings.v2.SecondFactorType.SECOND_FACTOR_TYPE_RECOVERY_CODES": "5",
      "zitadel.user.v2.AuthenticationMethodType.AUTHENTICATION_METHOD_TYPE_RECOVERY_CODE": "8",
      "zitadel.user.v2.GenerateRecoveryCodesRequest": "message",
      "zitadel.user.v2.GenerateRecoveryCodesRequest.count": "2 count INT32 IMPLICIT",
      "zitadel.user.v2.GenerateRecoveryCodesRequest.count rules": '{"int32":{"lte":50,"gte":1}}',
      "zitadel.user.v2.GenerateRecoveryCodesRequest.user_id": "1 userId STRING IMPLICIT",
      "zitadel.user.v2.GenerateRecoveryCodesRequest.user_id rules":
        '{"string":{"minLen":"1","maxLen":"200"}}',
      "zitadel.user.v2.GenerateRecoveryCodesResponse": "message",
      "zitadel.user.v2.GenerateRecoveryCodesResponse.details": "1 details zitadel.object.v2.Details EXPLICIT",
      "zitadel.user.v2.GenerateRecoveryCodesResponse.recovery_codes":
        "2 recoveryCodes repeated STRING IMPLICIT",
      "zitadel.user.v2.RemoveRecoveryCodesRequest": "message",
      "zitadel.user.v2.RemoveRecoveryCodesRequest.user_id": "1 userId STRING IMPLICIT",
      "zitadel.user.v2.RemoveRecoveryCodesRequest.user_id rules": '{"string":{"minLen":"1","maxLen":"200"}}',
      "zitadel.user.v2.RemoveRecoveryCodesResponse": "message",
      "zitadel.user.v2.RemoveRecoveryCodesResponse.details": "1 details zitadel.object.v2.Details EXPLICIT",
      "zitadel.user.v2.UserService/GenerateRecoveryCodes":
        "unary zitadel.user.v2.GenerateRecoveryCodesRequest zitadel.user.v2.GenerateRecoveryCodesResponse 0",
      "zitadel.user.v2.UserService/GenerateRecoveryCodes permission": "authenticated",
      "zitadel.user.v2.UserService/GenerateRecoveryCodes route":
        '{"post":"/v2/users/{user_id}/recovery_codes","body":"*"}',
      "zitadel.user.v2.UserService/GenerateRecoveryCodes success code": "200",
      "zitadel.user.v2.UserService/RemoveRecoveryCodes":
        "unary zitadel.user.v2.RemoveRecoveryCodesRequest zitadel.user.v2.RemoveRecoveryCodesResponse 0",
      "zitadel.user.v2.UserService/RemoveRecoveryCodes permission": "authenticated",
      "zitadel.user.v2.UserService/RemoveRecoveryCodes route":
        '{"delete":"/v2/users/{user_id}/recovery_codes"}',
      "zitadel.user.v2.UserService/RemoveRecoveryCodes success code": "200",
    },
  },
  {
    reason: "so did the search by expiration",
    facts: {
      "zitadel.session.v2.SearchQuery.expiration_date_query":
        "6 expirationDateQuery zitadel.session.v2.ExpirationDateQuery EXPLICIT oneof query",
      "zitadel.session.v2.ExpirationDateQuery": "message",
      "zitadel.session.v2.ExpirationDateQuery.expiration_date":
        "1 expirationDate google.protobuf.Timestamp EXPLICIT",
      "zitadel.session.v2.ExpirationDateQuery.method": "2 method zitadel.v1.TimestampQueryMethod IMPLICIT",
      "zitadel.session.v2.ExpirationDateQuery.method rules": '{"enum":{"definedOnly":true}}',
    },
  },
  {
    reason: "later limits of the session service; the older service leads to the same sessions",
    facts: {
      "zitadel.session.v2.CheckUser.search required": "true",
      "zitadel.session.v2.GetSessionRequest.session_id rules": name200,
      "zitadel.session.v2.GetSessionRequest.session_token rules": token500,
      "zitadel.session.v2beta.CheckUser.search required": "true",
      "zitadel.session.v2beta.GetSessionRequest.session_id rules": name200,
      "zitadel.session.v2beta.GetSessionRequest.session_token rules": token500,
    },
  },
  {
    reason: "the token is deprecated and ignored, so its length is no concern",
    facts: {
      "zitadel.session.v2.SetSessionRequest.session_token rules": null,
      "zitadel.session.v2beta.SetSessionRequest.session_token rules": null,
    },
  },
  {
    reason: "our own: there metadata has no bounds at all",
    facts: {
      "zitadel.session.v2.CreateSessionRequest.metadata rules": metadataLimits,
      "zitadel.session.v2.SetSessionRequest.metadata rules": metadataLimits,
      "zitadel.session.v2beta.CreateSessionRequest.metadata rules": metadataLimits,
      "zitadel.session.v2beta.SetSessionRequest.metadata rules": metadataLimits,
    },
  },
  {
    reason: "the user service grew: metadata, token types, routes",
    facts: {
      "zitadel.user.v2.CreateUserRequest.Machine.access_token_type":
        "3 accessTokenType zitadel.user.v2.AccessTokenType IMPLICIT",
      "zitadel.user.v2.CreateUserRequest.Machine.access_token_type rules": '{"enum":{"definedOnly":true}}',
      "zitadel.user.v2.CreateUserRequest.metadata": "6 metadata repeated zitadel.user.v2.Metadata IMPLICIT",
      "zitadel.user.v2.Metadata.value rules": '{"bytes":{"maxLen":"500000"}}',
      "zitadel.user.v2.SearchQuery.metadata_key_filter":
        "17 metadataKeyFilter zitadel.metadata.v2.MetadataKeyFilter EXPLICIT oneof query",
      "zitadel.user.v2.UpdateUserRequest.Machine.access_token_type":
        "3 accessTokenType zitadel.user.v2.AccessTokenType EXPLICIT",
      "zitadel.user.v2.UpdateUserRequest.Machine.access_token_type rules": '{"enum":{"definedOnly":true}}',
      "zitadel.user.v2.UpdateUserRequest.metadata": "5 metadata repeated zitadel.user.v2.Metadata IMPLICIT",
      "zitadel.user.v2.UserService/AddPersonalAccessToken route":
        '{"post":"/v2/users/{user_id}/pats","body":"*"}',
      "zitadel.user.v2.UserService/CreateUser route": '{"post":"/v2/users/new","body":"*"}',
      "zitadel.user.v2.UserService/ListPersonalAccessTokens route":
        '{"post":"/v2/users/pats/search","body":"*"}',
      "zitadel.user.v2.UserService/RemovePersonalAccessToken route":
        '{"delete":"/v2/users/{user_id}/pats/{token_id}"}',
      "zitadel.user.v2.UserService/UpdateUser route": '{"patch":"/v2/users/{user_id}","body":"*"}',
      "zitadel.user.v2.UserService/AddKey route": '{"post":"/v2/users/{user_id}/keys","body":"*"}',
      "zitadel.user.v2.UserService/AddSecret route": '{"post":"/v2/users/{user_id}/secret","body":"*"}',
      "zitadel.user.v2.UserService/ListKeys route": '{"post":"/v2/users/keys/search","body":"*"}',
      "zitadel.user.v2.UserService/RemoveKey route": '{"delete":"/v2/users/{user_id}/keys/{key_id}"}',
      "zitadel.user.v2.UserService/RemoveSecret route": '{"delete":"/v2/users/{user_id}/secret"}',
    },
  },
  {
    reason: "organization_id took the place of org_id, and the domain decides who may add an organization",
    facts: {
      "zitadel.org.v2.AddOrganizationRequest.organization_id": "4 organizationId STRING EXPLICIT",
      "zitadel.org.v2.AddOrganizationRequest.organization_id rules": name200,
      "zitadel.org.v2.OrganizationService/AddOrganization permission": "authenticated",
    },
  },
  {
    reason: "organizations can be deleted since",
    facts: {
      "zitadel.org.v2.DeleteOrganizationRequest": "message",
      "zitadel.org.v2.DeleteOrganizationRequest.organization_id": "1 organizationId STRING IMPLICIT",
      "zitadel.org.v2.DeleteOrganizationRequest.organization_id rules": name200,
      "zitadel.org.v2.DeleteOrganizationResponse": "message",
      "zitadel.org.v2.DeleteOrganizationResponse.deletion_date":
        "1 deletionDate google.protobuf.Timestamp EXPLICIT",
      "zitadel.org.v2.OrganizationService/DeleteOrganization":
        "unary zitadel.org.v2.DeleteOrganizationRequest zitadel.org.v2.DeleteOrganizationResponse 0",
      "zitadel.org.v2.OrganizationService/DeleteOrganization permission": "authenticated",
      "zitadel.org.v2.OrganizationService/DeleteOrganization route":
        '{"delete":"/v2/organizations/{organization_id}"}',
      "zitadel.org.v2.OrganizationService/DeleteOrganization success code": "200",
    },
  },
  {
    reason:
      "v2 of this package has no routes and names the organization of a project grant; the witness knows v2beta",
    facts: {
      "zitadel.internal_permission.v2.InternalPermissionService/CreateAdministrator route": null,
      "zitadel.internal_permission.v2.InternalPermissionService/DeleteAdministrator route": null,
      "zitadel.internal_permission.v2.InternalPermissionService/ListAdministrators route": null,
      "zitadel.internal_permission.v2.InternalPermissionService/UpdateAdministrator route": null,
      "zitadel.internal_permission.v2.ListAdministratorsRequest.sorting_column":
        "2 sortingColumn zitadel.internal_permission.v2.AdministratorFieldName IMPLICIT",
      "zitadel.internal_permission.v2.ResourceType.ProjectGrant.organization_id":
        "2 organizationId STRING IMPLICIT",
      "zitadel.internal_permission.v2.ResourceType.ProjectGrant.organization_id rules": name200,
      "zitadel.internal_permission.v2.ResourceType.ProjectGrant.project_grant_id": null,
      "zitadel.internal_permission.v2.ResourceType.ProjectGrant.project_id rules": name200,
    },
  },
  {
    reason: "intents learnt to hint, to refresh and to propose; the password of a directory is no URI",
    facts: {
      "zitadel.user.v2.IDPOAuthAccessInformation.refresh_token": "3 refreshToken STRING EXPLICIT",
      "zitadel.user.v2.LDAPCredentials.password rules": '{"string":{"minLen":"1","maxLen":"200"}}',
      "zitadel.user.v2.RedirectURLs.login_hint": "3 loginHint STRING IMPLICIT",
      "zitadel.user.v2.RedirectURLs.login_hint rules": '{"string":{"maxLen":"200"}}',
      "zitadel.user.v2.RetrieveIdentityProviderIntentResponse.create_user":
        "6 createUser zitadel.user.v2.CreateUserRequest EXPLICIT oneof user_action",
      "zitadel.user.v2.RetrieveIdentityProviderIntentResponse.update_human_user":
        "5 updateHumanUser zitadel.user.v2.UpdateHumanUserRequest EXPLICIT",
      "zitadel.user.v2.RetrieveIdentityProviderIntentResponse.update_user":
        "7 updateUser zitadel.user.v2.UpdateUserRequest EXPLICIT oneof user_action",
      "zitadel.user.v2.RetrieveIdentityProviderIntentResponse.user_action required": "false",
    },
  },
  {
    reason: "settings and providers grew",
    facts: {
      "zitadel.idp.v2.IDPType.IDP_TYPE_ZITADEL": "13",
      "zitadel.idp.v2.JWTConfig.audience": "5 audience STRING IMPLICIT",
      "zitadel.idp.v2.JWTConfig.audience rules": '{"string":{"maxLen":"200"}}',
      "zitadel.settings.v1.SecretGeneratorType.SECRET_GENERATOR_TYPE_INVITE_CODE": "9",
      "zitadel.settings.v2.GetGeneralSettingsResponse.allowed_languages":
        "5 allowedLanguages repeated STRING IMPLICIT",
      "zitadel.settings.v2.GetGeneralSettingsResponse.default_organization_id":
        "4 defaultOrganizationId STRING IMPLICIT",
      "zitadel.settings.v2.LoginSettings.allow_local_authentication":
        "20 allowLocalAuthentication BOOL IMPLICIT",
      "zitadel.settings.v2.SecondFactorType.SECOND_FACTOR_TYPE_TOTP": "1",
    },
  },
  {
    reason: "LDAP and SAML are not served",
    facts: {
      "zitadel.idp.v2.IDPConfig.ldap": null,
      "zitadel.idp.v2.IDPConfig.saml": null,
    },
  },
  {
    reason: "webhooks are signed, and mail servers are asked in more ways",
    facts: {
      "zitadel.admin.v1.AddEmailProviderHTTPResponse.signing_key": "3 signingKey STRING IMPLICIT",
      "zitadel.admin.v1.AddEmailProviderSMTPRequest.Auth required": "false",
      "zitadel.admin.v1.AddEmailProviderSMTPRequest.none":
        "9 none zitadel.admin.v1.SMTPNoAuth EXPLICIT oneof Auth",
      "zitadel.admin.v1.AddEmailProviderSMTPRequest.plain":
        "10 plain zitadel.admin.v1.SMTPPlainAuth EXPLICIT oneof Auth",
      "zitadel.admin.v1.AddEmailProviderSMTPRequest.xoauth2":
        "11 xoauth2 zitadel.admin.v1.SMTPXOAuth2Auth EXPLICIT oneof Auth",
      "zitadel.admin.v1.AddSMSProviderHTTPResponse.signing_key": "3 signingKey STRING IMPLICIT",
      "zitadel.admin.v1.SMTPNoAuth": "message",
      "zitadel.admin.v1.SMTPPlainAuth": "message",
      "zitadel.admin.v1.SMTPPlainAuth.password": "1 password STRING IMPLICIT",
      "zitadel.admin.v1.SMTPPlainAuth.password rules": '{"string":{"maxLen":"200"}}',
      "zitadel.admin.v1.SMTPXOAuth2Auth": "message",
      "zitadel.admin.v1.SMTPXOAuth2Auth.ClientCredentials": "message",
      "zitadel.admin.v1.SMTPXOAuth2Auth.ClientCredentials.client_id": "1 clientId STRING IMPLICIT",
      "zitadel.admin.v1.SMTPXOAuth2Auth.ClientCredentials.client_id rules": '{"string":{"maxLen":"200"}}',
      "zitadel.admin.v1.SMTPXOAuth2Auth.ClientCredentials.client_secret": "2 clientSecret STRING IMPLICIT",
      "zitadel.admin.v1.SMTPXOAuth2Auth.ClientCredentials.client_secret rules": '{"string":{"maxLen":"200"}}',
      "zitadel.admin.v1.SMTPXOAuth2Auth.OAuth2Type required": "false",
      "zitadel.admin.v1.SMTPXOAuth2Auth.client_credentials":
        "3 clientCredentials zitadel.admin.v1.SMTPXOAuth2Auth.ClientCredentials EXPLICIT oneof OAuth2Type",
      "zitadel.admin.v1.SMTPXOAuth2Auth.scopes": "2 scopes repeated STRING IMPLICIT",
      "zitadel.admin.v1.SMTPXOAuth2Auth.scopes rules":
        '{"repeated":{"maxItems":"20","items":{"string":{"minLen":"1","maxLen":"100"}}}}',
      "zitadel.admin.v1.SMTPXOAuth2Auth.token_endpoint": "1 tokenEndpoint STRING IMPLICIT",
      "zitadel.admin.v1.SMTPXOAuth2Auth.token_endpoint rules": '{"string":{"maxLen":"200"}}',
    },
  },
];

/** A package we serve in a version the witness knows only as an older one. */
const olderPackages: [ours: string, witness: string][] = [
  ["zitadel/internal_permission/v2/", "zitadel/internal_permission/v2beta/"],
];

type Facts = Map<string, string>;

const generatedRoot = new URL("../../src/gen/", import.meta.url);

const ourPaths = readdirSync(new URL("zitadel/", generatedRoot), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith("_pb.js"))
  .map((path) => `zitadel/${path}`)
  .sort();

/** The witness keeps the older interface in one folder; we give each package its own. */
const olderFiles: [ours: string, witness: string][] = [
  ["zitadel/admin/v1/admin_service_pb.js", "zitadel/admin_pb.js"],
  ["zitadel/management/v1/management_service_pb.js", "zitadel/management_pb.js"],
  ["zitadel/idp/v1/idp_pb.js", "zitadel/idp_pb.js"],
  ["zitadel/instance/v1/instance_pb.js", "zitadel/instance_pb.js"],
  ["zitadel/org/v1/org_pb.js", "zitadel/org_pb.js"],
  ["zitadel/policy/v1/policy_pb.js", "zitadel/policy_pb.js"],
  ["zitadel/settings/v1/settings_pb.js", "zitadel/settings_pb.js"],
  ["zitadel/user/v1/user_pb.js", "zitadel/user_pb.js"],
];

/** Where the older services answer; the witness leaves this part of a route to its proxy. */
const routePrefixes: Record<string, string> = {
  "zitadel.admin.v1.AdminService": "/admin/v1",
  "zitadel.management.v1.ManagementService": "/management/v1",
};

const witnessPath = (path: string): string =>
  [...olderPackages, ...olderFiles].reduce((name, [ours, witness]) => name.replace(ours, witness), path);

/** The witness's older package under the name of ours, so that facts can be compared as text. */
const underOurNames = (text: string): string =>
  text
    .replaceAll("zitadel.internal_permission.v2beta.", "zitadel.internal_permission.v2.")
    .replaceAll("zitadel.filter.v2beta.", "zitadel.filter.v2.");

const fileIn = (module: Record<string, unknown>): DescFile => {
  for (const value of Object.values(module)) {
    if (typeof value === "object" && value !== null && "kind" in value && value.kind === "file") {
      return value as DescFile;
    }
  }
  throw new Error("not a generated module");
};

const fieldType = (field: DescField): string => {
  const element = field.message?.typeName ?? field.enum?.typeName ?? ScalarType[field.scalar ?? 0];
  if (field.fieldKind === "map") return `map<${ScalarType[field.mapKey]}, ${element}>`;
  return field.fieldKind === "list" ? `repeated ${element}` : `${element}`;
};

const fieldShape = (field: DescField): string =>
  [
    field.number,
    field.jsonName,
    fieldType(field),
    FeatureSet_FieldPresence[field.presence],
    ...(field.oneof ? ["oneof", field.oneof.name] : []),
  ].join(" ");

/** Both rule languages as one: `len` for equal bounds, one `required`, no rule that holds for every value. */
const canonicalRules = (rules: JsonValue): JsonObject => {
  const canonical: JsonObject = {};
  for (const [name, value] of Object.entries(rules as JsonObject)) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      if (value === true && name === "required") canonical.required = true;
      continue;
    }
    const rule: JsonObject = { ...value };
    if (rule.required === true) canonical.required = true;
    delete rule.required;
    // The domain checks the syntax of e-mail addresses.
    delete rule.email;
    if (rule.minLen === "0") delete rule.minLen;
    if (rule.minLen !== undefined && rule.minLen === rule.maxLen) {
      rule.len = rule.minLen;
      delete rule.minLen;
      delete rule.maxLen;
    }
    for (const nested of ["items", "keys", "values"]) {
      if (rule[nested] !== undefined) rule[nested] = canonicalRules(rule[nested]);
    }
    if (Object.keys(rule).length > 0) canonical[name] = rule;
  }
  return canonical;
};

const ourRules = (field: DescField): JsonObject =>
  canonicalRules(toJson(FieldRulesSchema, getOption(field, fieldRules)));

const rulesOfWitness = (field: DescField): JsonObject =>
  canonicalRules(toJson(WitnessFieldRulesSchema, getOption(field, witnessRules)));

const messageFacts = (message: DescMessage, isOurs: boolean): [string, string][] => [
  [message.typeName, "message"],
  ...message.fields.flatMap((field): [string, string][] => {
    const name = `${message.typeName}.${field.name}`;
    const rules = isOurs ? ourRules(field) : rulesOfWitness(field);
    const limits: [string, string][] =
      Object.keys(rules).length > 0 ? [[`${name} rules`, JSON.stringify(rules)]] : [];
    return [[name, fieldShape(field)], ...limits];
  }),
  ...message.oneofs.map((oneof): [string, string] => [
    `${message.typeName}.${oneof.name} required`,
    `${isOurs ? getOption(oneof, oneofRules).required : getOption(oneof, witnessOneofRequired)}`,
  ]),
];

const enumFacts = (enumeration: DescEnum): [string, string][] =>
  enumeration.values.map((value) => [`${enumeration.typeName}.${value.name}`, `${value.number}`]);

const routeOf = (method: DescMethod, isOurs: boolean): string => {
  const route = JSON.stringify(toJson(HttpRuleSchema, getOption(method, http)));
  return isOurs ? route : route.replace('":"/', `":"${routePrefixes[method.parent.typeName] ?? ""}/`);
};

const methodFacts = (method: DescMethod, isOurs: boolean): [string, string][] => {
  const name = `${method.parent.typeName}/${method.name}`;
  const route: [string, string][] = hasOption(method, http)
    ? [[`${name} route`, routeOf(method, isOurs)]]
    : [];
  const witness = getOption(method, witnessOptions);
  const permissionOfWitness = hasOption(method, olderAuthOption)
    ? getOption(method, olderAuthOption).permission
    : witness.authOption?.permission;
  return [
    [name, `${method.methodKind} ${method.input.typeName} ${method.output.typeName} ${method.idempotency}`],
    ...route,
    [`${name} permission`, isOurs ? getOption(method, permission) : `${permissionOfWitness}`],
    [
      `${name} success code`,
      `${(isOurs ? getOption(method, success_code) : witness.httpResponse?.successCode) || 200}`,
    ],
  ];
};

/** Every fact of a file that a client could notice, under a name. */
const factsOf = (file: DescFile, isOurs: boolean): [string, string][] =>
  [...nestedTypes(file)].flatMap((type): [string, string][] => {
    if (type.kind === "message") return messageFacts(type, isOurs);
    if (type.kind === "enum") return enumFacts(type);
    if (type.kind === "service") return type.methods.flatMap((method) => methodFacts(method, isOurs));
    return [];
  });

const witnessFile = async (path: string): Promise<DescFile> =>
  fileIn(await import(import.meta.resolve(`@zitadel/proto/${path}`)));

const ourFiles: DescFile[] = [];
const ours: Facts = new Map();
const witness: Facts = new Map();

for (const path of ourPaths) {
  const file = fileIn(await import(new URL(path, generatedRoot).href));
  ourFiles.push(file);
  for (const [name, fact] of factsOf(file, true)) ours.set(name, fact);
}

/** Newer than the witness's package of the same version, but known to it from an older version. */
const onlyInOlder = ["zitadel.filter.v2.InIDsFilter"];

for (const path of new Set(ourPaths.map(witnessPath))) {
  for (const [name, fact] of factsOf(await witnessFile(path), false))
    witness.set(underOurNames(name), underOurNames(fact));
}
for (const [name, fact] of factsOf(await witnessFile("zitadel/filter/v2beta/filter_pb.js"), false)) {
  const ourName = underOurNames(name);
  if (onlyInOlder.some((type) => ourName.startsWith(type))) witness.set(ourName, underOurNames(fact));
}

/** Whether a fact of the witness is one about something we have: a member of our type, a property of our member. */
const isAbout = (name: string, ourNames: ReadonlySet<string>): boolean => {
  const [member = "", property] = name.split(" ");
  return (
    ourNames.has(property ? member : member.replace(/\.[^./]+$/, "")) && !(member.includes("/") && !property)
  );
};

describe("the contract and a witness we did not write", () => {
  const ourNames = new Set(ours.keys());
  for (const type of ourFiles.flatMap((file) => [...nestedTypes(file)])) ourNames.add(type.typeName);

  test("agree on every message, enum, method, route and limit, except where we say why", () => {
    const found: Record<string, string | null> = {};
    for (const [name, fact] of ours) if (witness.get(name) !== fact) found[name] = fact;
    for (const name of witness.keys()) {
      if (!ours.has(name) && isAbout(name, ourNames)) found[name] = null;
    }
    expect(found).toEqual(Object.assign({}, ...differences.map(({ facts }) => facts)));
  });

  test("meet over the whole contract", () => {
    const agreed = [...ours].filter(([name, fact]) => witness.get(name) === fact).length;
    expect(agreed).toBeGreaterThan(2000);
  });
});

describe("a service", () => {
  const methods = ourFiles
    .flatMap((file) => file.services)
    .flatMap((service: DescService) => service.methods);

  test.each(methods.map((method) => [`${method.parent.typeName}/${method.name}`, method] as const))(
    "%s says what its caller must hold",
    (_name, method) => {
      const named = getOption(method, permission);
      expect(named === "authenticated" || isPermission(named)).toBe(true);
    },
  );
});

describe("a limit of the session service", () => {
  const validator = createValidator();

  const isAccepted = <Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): boolean => {
    const result = validator.validate(schema, create(schema, init));
    if (result.kind === "error") throw result.error;
    return result.kind === "valid";
  };

  /** One code point, two UTF-16 units, four bytes. */
  const wide = (codePoints: number): string => "🏰".repeat(codePoints);

  const getSession = (init: MessageInitShape<typeof GetSessionRequestSchema>) =>
    isAccepted(GetSessionRequestSchema, init);
  const createSession = (init: MessageInitShape<typeof CreateSessionRequestSchema>) =>
    isAccepted(CreateSessionRequestSchema, init);
  const setSession = (init: MessageInitShape<typeof SetSessionRequestSchema>) =>
    isAccepted(SetSessionRequestSchema, init);
  const checks = (init: MessageInitShape<typeof ChecksSchema>) => createSession({ checks: init });
  const challenges = (init: MessageInitShape<typeof RequestChallengesSchema>) =>
    createSession({ challenges: init });
  const query = (init: MessageInitShape<typeof SearchQuerySchema>["query"]) =>
    isAccepted(ListSessionsRequestSchema, { queries: [{ query: init }] });
  const unknownComparison = 5 as TimestampQueryMethod;
  const webAuthN = (domain: string, userVerificationRequirement: number) =>
    challenges({ webAuthN: { domain, userVerificationRequirement } });
  const entries = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`key${index}`, new Uint8Array(1)]));

  test.each<[name: string, accepted: boolean, actual: boolean]>([
    ["an empty session id", false, getSession({})],
    ["a session id of 1", true, getSession({ sessionId: "s" })],
    ["a session id of 200 code points, 800 bytes", true, getSession({ sessionId: wide(200) })],
    ["a session id of 201 code points", false, getSession({ sessionId: wide(201) })],
    ["an empty session id to change", false, setSession({})],
    ["an empty session id to end", false, isAccepted(DeleteSessionRequestSchema, {})],
    [
      "an empty token to end with",
      true,
      isAccepted(DeleteSessionRequestSchema, { sessionId: "s", sessionToken: "" }),
    ],
    ["an empty token to read with", false, getSession({ sessionId: "s", sessionToken: "" })],
    ["a token of 500", true, getSession({ sessionId: "s", sessionToken: wide(500) })],
    ["a token of 501", false, getSession({ sessionId: "s", sessionToken: wide(501) })],
    ["a deprecated token of 100,000", true, setSession({ sessionId: "s", sessionToken: wide(100_000) })],

    ["an anonymous session", true, createSession({})],
    ["no checks at all", true, checks({})],
    ["a user check that names nobody", false, checks({ user: {} })],
    ["a user check with an empty id", false, checks({ user: { search: { case: "userId", value: "" } } })],
    ["a user id of 200", true, checks({ user: { search: { case: "userId", value: wide(200) } } })],
    ["a user id of 201", false, checks({ user: { search: { case: "userId", value: wide(201) } } })],
    ["a login name of 200", true, checks({ user: { search: { case: "loginName", value: wide(200) } } })],
    ["a login name of 201", false, checks({ user: { search: { case: "loginName", value: wide(201) } } })],
    ["an empty password", false, checks({ password: {} })],
    ["a password of 200", true, checks({ password: { password: wide(200) } })],
    ["a password of 201", false, checks({ password: { password: wide(201) } })],
    ["no assertion", false, checks({ webAuthN: {} })],
    ["an empty assertion", true, checks({ webAuthN: { credentialAssertionData: {} } })],
    ["an intent without its token", false, checks({ idpIntent: { idpIntentId: "i" } })],
    ["an intent with its token", true, checks({ idpIntent: { idpIntentId: "i", idpIntentToken: "t" } })],
    ["a TOTP code of 5", false, checks({ totp: { code: "12345" } })],
    ["a TOTP code of 6", true, checks({ totp: { code: "123456" } })],
    ["a TOTP code of 6 code points", true, checks({ totp: { code: wide(6) } })],
    ["a TOTP code of 7", false, checks({ totp: { code: "1234567" } })],
    ["an empty code by SMS", false, checks({ otpSms: {} })],
    ["an empty code by e-mail", false, checks({ otpEmail: {} })],
    ["a sent code of any length", true, checks({ otpSms: { code: wide(1000) } })],
    ["an empty recovery code", false, checks({ recoveryCode: {} })],
    ["a recovery code of 201", false, checks({ recoveryCode: { code: wide(201) } })],

    ["an empty relying party", false, webAuthN("", UserVerificationRequirement.REQUIRED)],
    ["a relying party of 200", true, webAuthN(wide(200), UserVerificationRequirement.DISCOURAGED)],
    ["a relying party of 201", false, webAuthN(wide(201), UserVerificationRequirement.REQUIRED)],
    ["no user verification requirement", false, webAuthN("a", UserVerificationRequirement.UNSPECIFIED)],
    ["an unknown user verification requirement", false, webAuthN("a", 4)],
    ["an e-mail challenge without a choice", true, challenges({ otpEmail: {} })],
    [
      "an e-mail challenge with an empty template",
      false,
      challenges({ otpEmail: { deliveryType: { case: "sendCode", value: { urlTemplate: "" } } } }),
    ],
    [
      "an e-mail challenge without a template",
      true,
      challenges({ otpEmail: { deliveryType: { case: "sendCode", value: {} } } }),
    ],

    ["a lifetime of nothing", false, createSession({ lifetime: {} })],
    ["a lifetime of a nanosecond", true, createSession({ lifetime: { nanos: 1 } })],
    ["a negative lifetime", false, setSession({ sessionId: "s", lifetime: { seconds: -1n } })],
    ["no lifetime", true, setSession({ sessionId: "s" })],

    ["64 metadata entries", true, createSession({ metadata: entries(64) })],
    ["65 metadata entries", false, createSession({ metadata: entries(65) })],
    ["an empty metadata key", false, createSession({ metadata: { "": new Uint8Array(1) } })],
    ["a metadata key of 200", true, createSession({ metadata: { [wide(200)]: new Uint8Array(1) } })],
    ["a metadata key of 201", false, createSession({ metadata: { [wide(201)]: new Uint8Array(1) } })],
    [
      "an empty metadata value, which deletes",
      true,
      setSession({ sessionId: "s", metadata: { a: new Uint8Array() } }),
    ],
    [
      "a metadata value of 64 KiB",
      true,
      setSession({ sessionId: "s", metadata: { a: new Uint8Array(65_536) } }),
    ],
    [
      "a metadata value of a byte more",
      false,
      setSession({ sessionId: "s", metadata: { a: new Uint8Array(65_537) } }),
    ],

    ["a query that asks nothing", false, query(undefined)],
    ["a query for no ids", true, query({ case: "idsQuery", value: {} })],
    ["a query for an empty user id", true, query({ case: "userIdQuery", value: {} })],
    ["an absent creator", true, query({ case: "creatorQuery", value: {} })],
    ["an empty creator, left to the domain", true, query({ case: "creatorQuery", value: { id: "" } })],
    ["a creator of 200", true, query({ case: "creatorQuery", value: { id: wide(200) } })],
    ["a creator of 201", false, query({ case: "creatorQuery", value: { id: wide(201) } })],
    ["a fingerprint of 201", false, query({ case: "userAgentQuery", value: { fingerprintId: wide(201) } })],
    [
      "a known comparison",
      true,
      query({ case: "creationDateQuery", value: { method: TimestampQueryMethod.LESS_OR_EQUALS } }),
    ],
    [
      "an unknown comparison",
      false,
      query({ case: "creationDateQuery", value: { method: unknownComparison } }),
    ],
    [
      "an unknown comparison of expirations",
      false,
      query({ case: "expirationDateQuery", value: { method: unknownComparison } }),
    ],
  ])("answers %s with accepted = %s", (_name, accepted, actual) => {
    expect(actual).toBe(accepted);
  });
});
