import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Organization } from "../gen/zitadel/object/v2/object_pb.js";
import type { SetHumanEmail } from "../gen/zitadel/user/v2/email_pb.js";
import type {
  HashedPassword,
  Password,
  SetPassword as SetPasswordMessage,
} from "../gen/zitadel/user/v2/password_pb.js";
import type { SetHumanPhone } from "../gen/zitadel/user/v2/phone_pb.js";
import {
  type HumanUserSchema,
  UserState as StateOnWire,
  type UserSchema,
} from "../gen/zitadel/user/v2/user_pb.js";
import type {
  AddHumanUserRequest,
  CreateUserRequest,
  SetPasswordRequest,
  UpdateHumanUserRequest,
  UpdateUserRequest,
} from "../gen/zitadel/user/v2/user_service_pb.js";
import { detailsOf } from "../storage/details.ts";
import type { ContactInput } from "../user/contact.ts";
import type { AddHumanUser, CreateUser } from "../user/create-user.ts";
import type { NewPassword } from "../user/new-password.ts";
import type { NewHuman } from "../user/prepare-user.ts";
import type { PasswordProof, SetPassword } from "../user/set-password.ts";
import type { UpdateUser } from "../user/update-user.ts";
import type { UserState } from "../user/user.ts";
import { toDetails } from "./details-mapping.ts";
import { fromVerification } from "./user-contact-mapping.ts";
import { fromIdpLink } from "./user-idp-mapping.ts";

export function fromCreateUser(request: CreateUserRequest): CreateUser {
  const { organizationId, userId, username, userType, metadata } = request;
  switch (userType.case) {
    case "human": {
      const { profile, email, phone, passwordType, idpLinks, totpSecret } = userType.value;
      return {
        organizationId,
        human: {
          userId,
          username,
          profile: profile!,
          email: fromContact(email!.email, email!),
          phone: phone && fromContact(phone.phone, phone),
          password: fromPasswordType(passwordType),
          metadata: [...userType.value.metadata, ...metadata],
          totpSecret,
          idpLinks: idpLinks.map(fromIdpLink),
        },
      };
    }
    case "machine": {
      const { name, description, accessTokenType } = userType.value;
      return { organizationId, machine: { userId, username, name, description, accessTokenType, metadata } };
    }
    default:
      throw new Error("a user of no type passed validation");
  }
}

export function fromAddHumanUser(request: AddHumanUserRequest): AddHumanUser {
  return { organization: fromOrganization(request.organization), human: fromHuman(request) };
}

/** The person alone; the organization is said elsewhere. */
export function fromHuman(request: AddHumanUserRequest): NewHuman {
  const { userId, username, profile, email, phone, passwordType, metadata, idpLinks, totpSecret } = request;
  return {
    userId,
    username,
    profile: profile!,
    email: fromContact(email!.email, email!),
    phone: phone && fromContact(phone.phone, phone),
    password: fromPasswordType(passwordType),
    metadata,
    totpSecret,
    idpLinks: idpLinks.map(fromIdpLink),
  };
}

export function fromUpdateUser({ userId, username, userType, metadata }: UpdateUserRequest): UpdateUser {
  const changes = { userId, username, metadata };
  switch (userType.case) {
    case "human": {
      const { profile, email, phone, password } = userType.value;
      return {
        ...changes,
        human: {
          profile,
          email: email && fromContact(email.email, email),
          phone: phone && fromContact(phone.phone, phone),
          password: password && fromSetPasswordMessage(password),
        },
      };
    }
    case "machine":
      return { ...changes, machine: userType.value };
    default:
      return changes;
  }
}

export function fromUpdateHumanUser(request: UpdateHumanUserRequest): UpdateUser {
  const { userId, username, profile, email, phone, password } = request;
  return {
    userId,
    username,
    metadata: [],
    human: {
      profile,
      email: email && fromContact(email.email, email),
      phone: phone && fromContact(phone.phone, phone),
      password: password && fromSetPasswordMessage(password),
    },
  };
}

export function fromSetPassword({ userId, newPassword, verification }: SetPasswordRequest): SetPassword {
  return {
    userId,
    password: newPassword && fromPassword(newPassword),
    proof: fromProof(verification),
  };
}

const states: { [status in UserState["status"]]: StateOnWire } = {
  none: StateOnWire.UNSPECIFIED,
  active: StateOnWire.ACTIVE,
  inactive: StateOnWire.INACTIVE,
  locked: StateOnWire.LOCKED,
  removed: StateOnWire.DELETED,
};

export function toUser(user: UserState): MessageInitShape<typeof UserSchema> {
  const common = {
    userId: user.id,
    state: states[user.status],
    username: user.username,
    loginNames: [user.username],
    preferredLoginName: user.username,
  };
  return {
    ...common,
    details: toDetails(detailsOf(user, user.organizationId)),
    type:
      user.type === "human"
        ? { case: "human", value: { ...common, ...toHuman(user) } }
        : {
            case: "machine",
            value: {
              name: user.machineName ?? "",
              description: user.machineDescription ?? "",
              hasSecret: user.clientSecret !== null,
              accessTokenType: user.accessTokenType ?? 0,
            },
          },
  };
}

function toHuman(user: UserState): MessageInitShape<typeof HumanUserSchema> {
  return {
    profile: {
      givenName: user.givenName ?? "",
      familyName: user.familyName ?? "",
      nickName: user.nickName ?? undefined,
      displayName: user.displayName ?? undefined,
      preferredLanguage: user.preferredLanguage ?? undefined,
      gender: user.gender ?? undefined,
    },
    email: { email: user.email ?? "", isVerified: user.emailVerified },
    phone: user.phone === null ? undefined : { phone: user.phone, isVerified: user.phoneVerified },
    passwordChangeRequired: user.passwordChangeRequired,
    passwordChanged: user.passwordChangedAt ? timestampFromDate(user.passwordChangedAt) : undefined,
  };
}

function fromContact(text: string, { verification }: SetHumanEmail | SetHumanPhone): ContactInput {
  return { text, ...fromVerification(verification) };
}

function fromPasswordType(type: CreateUserHumanPassword): NewPassword | undefined {
  switch (type.case) {
    case "password":
      return fromPassword(type.value);
    case "hashedPassword":
      return { hash: type.value.hash, changeRequired: type.value.changeRequired };
    default:
      return undefined;
  }
}

type CreateUserHumanPassword =
  | { case: "password"; value: Password }
  | { case: "hashedPassword"; value: HashedPassword }
  | { case: undefined; value?: undefined };

function fromPassword({ password, changeRequired }: Password): NewPassword {
  return { password, changeRequired };
}

function fromSetPasswordMessage({
  passwordType,
  verification,
}: SetPasswordMessage): Omit<SetPassword, "userId"> {
  return { password: fromPasswordType(passwordType), proof: fromProof(verification) };
}

function fromProof(verification: SetPasswordRequest["verification"]): PasswordProof | undefined {
  switch (verification.case) {
    case "currentPassword":
      return { currentPassword: verification.value };
    case "verificationCode":
      return { verificationCode: verification.value };
    default:
      return undefined;
  }
}

function fromOrganization(organization: Organization | undefined): AddHumanUser["organization"] {
  switch (organization?.org.case) {
    case "orgId":
      return { id: organization.org.value };
    case "orgDomain":
      return { domain: organization.org.value };
    default:
      return undefined;
  }
}
