import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import { DomainError } from "../errors.ts";
import type { IDPLink, IDPLinkSchema } from "../gen/zitadel/user/v2/idp_pb.js";
import type {
  AddHumanUserRequestSchema,
  AddIDPLinkRequest,
  CreateUserRequestSchema,
  RetrieveIdentityProviderIntentResponseSchema,
  StartIdentityProviderIntentRequest,
  UpdateHumanUserRequestSchema,
  UpdateUserRequestSchema,
} from "../gen/zitadel/user/v2/user_service_pb.js";
import type { ExternalUser } from "../idp/protocol/external-user.ts";
import type { RetrievedIntent } from "../idp/retrieve-intent.ts";
import type { StartIntent } from "../idp/start-intent.ts";
import type { IdpLink } from "../storage/tables.ts";
import { toDetails } from "./details-mapping.ts";

export function fromIdpLink({ idpId, userId, userName }: IDPLink): IdpLink {
  return { idpId, externalUserId: userId, displayName: userName };
}

export function toIdpLink({
  idpId,
  externalUserId,
  displayName,
}: IdpLink): MessageInitShape<typeof IDPLinkSchema> {
  return { idpId, userId: externalUserId, userName: displayName };
}

/** @throws DomainError `user.idp_link_missing` */
export function fromAddIdpLink({ userId, idpLink }: AddIDPLinkRequest): { userId: string; link: IdpLink } {
  if (idpLink === undefined) throw new DomainError("user.idp_link_missing");
  return { userId, link: fromIdpLink(idpLink) };
}

/** @throws DomainError `idp.ldap_unimplemented`, `idp.content_missing` */
export function fromStartIntent({ idpId, content }: StartIdentityProviderIntentRequest): StartIntent {
  switch (content.case) {
    case "urls":
      return { idpId, ...content.value };
    case "ldap":
      throw new DomainError("idp.ldap_unimplemented");
    default:
      throw new DomainError("idp.content_missing");
  }
}

export function toRetrievedIntent(
  intent: RetrievedIntent,
): MessageInitShape<typeof RetrieveIdentityProviderIntentResponseSchema> {
  const { details, idpId, user, tokens, linkedUserId } = intent;
  return {
    details: toDetails(details),
    idpInformation: {
      access: { case: "oauth", value: tokens },
      idpId,
      userId: user.id,
      userName: user.userName,
      rawInformation: user.raw as JsonObject,
    },
    userId: linkedUserId ?? "",
    ...(linkedUserId === undefined ? creationOf(idpId, user) : updateOf(linkedUserId, user)),
  };
}

type Proposals = Pick<
  MessageInitShape<typeof RetrieveIdentityProviderIntentResponseSchema>,
  "userAction" | "addHumanUser" | "updateHumanUser"
>;

/** The user this account could become. What the provider did not tell is left for a person to fill in. */
function creationOf(idpId: string, user: ExternalUser): Proposals {
  const human = {
    profile: { ...namesOf(user), givenName: user.givenName ?? "", familyName: user.familyName ?? "" },
    ...contactsOf(user),
    idpLinks: [toIdpLink({ idpId, externalUserId: user.id, displayName: user.userName })],
  };
  const createUser: MessageInitShape<typeof CreateUserRequestSchema> = {
    username: user.userName,
    userType: { case: "human", value: human },
  };
  const addHumanUser: MessageInitShape<typeof AddHumanUserRequestSchema> = {
    username: user.userName,
    ...human,
  };
  return { userAction: { case: "createUser", value: createUser }, addHumanUser };
}

/** What the provider now says about the user it is linked to. */
function updateOf(userId: string, user: ExternalUser): Proposals {
  const updateUser: MessageInitShape<typeof UpdateUserRequestSchema> = {
    userId,
    userType: { case: "human", value: { profile: namesOf(user), ...contactsOf(user) } },
  };
  const updateHumanUser: MessageInitShape<typeof UpdateHumanUserRequestSchema> = {
    userId,
    ...(user.givenName !== undefined && user.familyName !== undefined
      ? { profile: { ...namesOf(user), givenName: user.givenName, familyName: user.familyName } }
      : {}),
    ...contactsOf(user),
  };
  return { userAction: { case: "updateUser", value: updateUser }, updateHumanUser };
}

/** As long as a profile takes it; longer is a dialect nobody speaks. */
const MAX_LANGUAGE_CHARACTERS = 10;

function namesOf({ givenName, familyName, nickName, displayName, language }: ExternalUser) {
  return {
    ...(givenName === undefined ? {} : { givenName }),
    ...(familyName === undefined ? {} : { familyName }),
    ...(nickName === undefined ? {} : { nickName }),
    ...(displayName === undefined ? {} : { displayName }),
    ...(language === undefined || language.length > MAX_LANGUAGE_CHARACTERS
      ? {}
      : { preferredLanguage: language }),
  };
}

/** An unverified number names no way to verify it, which means by a code. */
function contactsOf({ email, emailVerified, phone, phoneVerified }: ExternalUser) {
  return {
    ...(email === undefined
      ? {}
      : { email: { email, verification: { case: "isVerified" as const, value: emailVerified } } }),
    ...(phone === undefined
      ? {}
      : {
          phone: {
            phone,
            ...(phoneVerified ? { verification: { case: "isVerified" as const, value: true } } : {}),
          },
        }),
  };
}
