import { ProviderFailure } from "./provider-failure.ts";

export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

/** What a provider says about whoever signed in. Absent is what it did not say, or what is of no use. */
export type ExternalUser = {
  /** Identifies the user at this provider for ever; 1..200 characters. */
  id: string;
  /** What people at the provider call the user; at least the id. 1..200 characters. */
  userName: string;
  displayName?: string;
  nickName?: string;
  givenName?: string;
  familyName?: string;
  email?: string;
  emailVerified: boolean;
  phone?: string;
  phoneVerified: boolean;
  /** BCP 47. */
  language?: string;
  avatarUrl?: string;
  profileUrl?: string;
  /** All of it, as the provider sent it. */
  raw: JsonObject;
};

type Claim =
  | "id"
  | "userName"
  | "displayName"
  | "nickName"
  | "givenName"
  | "familyName"
  | "email"
  | "emailVerified"
  | "phone"
  | "phoneVerified"
  | "language"
  | "avatarUrl"
  | "profileUrl";

/** Under which names a provider sends what; of several the first that is there. */
export type ClaimMapping = Readonly<Record<Claim, readonly string[]>>;

/** The claims of OpenID Connect (Core §5.1). */
export const standardClaims: ClaimMapping = {
  id: ["sub"],
  userName: ["preferred_username", "email"],
  displayName: ["name"],
  nickName: ["nickname"],
  givenName: ["given_name"],
  familyName: ["family_name"],
  email: ["email"],
  emailVerified: ["email_verified"],
  phone: ["phone_number"],
  phoneVerified: ["phone_number_verified"],
  language: ["locale"],
  avatarUrl: ["picture"],
  profileUrl: ["profile"],
};

const MAX_CHARACTERS = 200;
const MAX_URL_CHARACTERS = 2048;
/** Deeper answers are refused: readers of `google.protobuf.Struct` stop well before what JSON allows. */
const MAX_DEPTH = 32;

/**
 * The user among a provider's claims.
 * @throws ProviderFailure `server_error` if nothing identifies the user
 */
export function externalUser(claims: JsonObject, mapping: ClaimMapping): ExternalUser {
  const raw = storable(claims) as JsonObject;
  const text = (claim: Claim, maxCharacters = MAX_CHARACTERS): string | undefined =>
    mapping[claim]
      .map((name) => asText(raw[name]))
      .find((value) => value && [...value].length <= maxCharacters);
  const truth = (claim: Claim): boolean =>
    // Some providers write booleans as text.
    mapping[claim].some((name) => raw[name] === true || raw[name] === "true");

  const id = text("id");
  if (id === undefined) {
    throw new ProviderFailure("server_error", "the identity provider does not say who signed in");
  }
  const email = text("email");
  const phone = text("phone");
  return {
    id,
    userName: text("userName") ?? id,
    ...given({
      displayName: text("displayName"),
      nickName: text("nickName"),
      givenName: text("givenName"),
      familyName: text("familyName"),
      email,
      phone,
      language: languageTag(text("language")),
      avatarUrl: text("avatarUrl", MAX_URL_CHARACTERS),
      profileUrl: text("profileUrl", MAX_URL_CHARACTERS),
    }),
    emailVerified: email !== undefined && truth("emailVerified"),
    phoneVerified: phone !== undefined && truth("phoneVerified"),
    raw,
  };
}

/** Ids are numbers at some providers. One that JSON has rounded may be somebody else's, and is none. */
function asText(value: Json | undefined): string | undefined {
  if (Number.isSafeInteger(value)) return String(value);
  return typeof value === "string" ? value.trim() : undefined;
}

function languageTag(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : Intl.getCanonicalLocales(text.replaceAll("_", "-"))[0];
  } catch {
    return undefined;
  }
}

function given<T extends object>(fields: T): { [key in keyof T]?: Exclude<T[key], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [key in keyof T]?: Exclude<T[key], undefined>;
  };
}

/** Without what JSON may hold and the database does not: NUL characters and lone surrogates. */
function storable(value: Json, depth = 0): Json {
  if (depth > MAX_DEPTH)
    throw new ProviderFailure("server_error", "the identity provider's answer is too deep");
  if (typeof value === "string") return storableText(value);
  if (Array.isArray(value)) return value.map((item) => storable(item, depth + 1));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [storableText(key), storable(item, depth + 1)]),
  );
}

const storableText = (text: string): string => text.replaceAll("\0", "").toWellFormed();
