import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { DomainError } from "../errors.ts";
import { TimestampQueryMethod } from "../gen/zitadel/object_pb.js";
import {
  type ChallengesSchema,
  type RequestChallenges,
  UserVerificationRequirement,
} from "../gen/zitadel/session/v2/challenge_pb.js";
import type { SearchQuery, SessionSchema, UserAgent } from "../gen/zitadel/session/v2/session_pb.js";
import type {
  Checks as ChecksMessage,
  CreateSessionRequest,
  DeleteSessionRequest,
  GetSessionRequest,
  ListSessionsRequest,
  ListSessionsResponseSchema,
  SetSessionRequest,
} from "../gen/zitadel/session/v2/session_service_pb.js";
import type { ChallengeAnswers, ChallengeRequests } from "../session/challenges/run-challenges.ts";
import type { SessionChanges } from "../session/change-session.ts";
import type { Checks } from "../session/checks/run-checks.ts";
import type { CreateSession } from "../session/create-session.ts";
import type { DeleteSession } from "../session/delete-session.ts";
import { passwordCheckedAt } from "../session/session.ts";
import type { GetSession, ListSessions, SessionCriterion } from "../session/session-queries.ts";
import type { SetSession } from "../session/set-session.ts";
import type { UserAgentInput } from "../session/user-agent.ts";
import type { Comparison } from "../storage/conditions.ts";
import type { SessionRecord } from "../storage/session-repository.ts";
import type { SessionPage } from "../storage/session-search.ts";
import type { UserVerification } from "../storage/tables.ts";
import { fromPage, toListDetails } from "./details-mapping.ts";

export function fromCreateSession(request: CreateSessionRequest): CreateSession {
  const userAgent = request.userAgent && fromUserAgent(request.userAgent);
  return userAgent ? { ...fromChanges(request), userAgent } : fromChanges(request);
}

export function fromSetSession(request: SetSessionRequest): SetSession {
  const { sessionId, sessionToken } = request;
  return { ...fromChanges(request), sessionId, token: sessionToken };
}

export function fromDeleteSession({ sessionId, sessionToken }: DeleteSessionRequest): DeleteSession {
  return sessionToken ? { sessionId, token: sessionToken } : { sessionId };
}

export function fromGetSession({ sessionId, sessionToken }: GetSessionRequest): GetSession {
  return sessionToken ? { sessionId, token: sessionToken } : { sessionId };
}

export function fromListSessions({ query, queries }: ListSessionsRequest): ListSessions {
  return {
    criteria: queries.map(fromSearchQuery),
    ...fromPage(query),
  };
}

export function toListSessionsResponse({
  hits,
  total,
  now,
}: SessionPage): MessageInitShape<typeof ListSessionsResponseSchema> {
  return { details: toListDetails(total!, now), sessions: hits.map(({ record }) => toSession(record)) };
}

export function toSession(record: SessionRecord): MessageInitShape<typeof SessionSchema> {
  const { session } = record;
  return {
    id: session.id,
    creationDate: timestampFromDate(session.createdAt),
    changeDate: timestampFromDate(session.changedAt),
    sequence: BigInt(session.sequence),
    factors: toFactors(record),
    metadata: Object.fromEntries(
      Object.entries(session.metadata).map(([key, value]) => [key, Buffer.from(value, "base64")]),
    ),
    userAgent: toUserAgent(session),
    expirationDate: session.expiresAt ? timestampFromDate(session.expiresAt) : undefined,
  };
}

function toFactors({ session, user }: SessionRecord): MessageInitShape<typeof SessionSchema>["factors"] {
  const check = session.factors.user;
  if (!check || session.userId === null) return undefined;
  const password = passwordCheckedAt(session, user);
  const { webAuthN, intent, totp, otpSms, otpEmail, recoveryCode } = session.factors;
  return {
    user: {
      verifiedAt: timestampFromDate(new Date(check.checkedAt)),
      id: session.userId,
      loginName: user?.loginName ?? "",
      displayName: user?.displayName ?? "",
      organizationId: session.userOrganizationId ?? "",
    },
    ...(password ? { password: { verifiedAt: timestampFromDate(password) } } : {}),
    ...(webAuthN ? { webAuthN: { ...verified(webAuthN), userVerified: webAuthN.userVerified } } : {}),
    ...(intent ? { intent: verified(intent) } : {}),
    ...(totp ? { totp: verified(totp) } : {}),
    ...(otpSms ? { otpSms: verified(otpSms) } : {}),
    ...(otpEmail ? { otpEmail: verified(otpEmail) } : {}),
    ...(recoveryCode ? { recoveryCode: verified(recoveryCode) } : {}),
  };
}

function verified({ checkedAt }: { checkedAt: string }): { verifiedAt: Timestamp } {
  return { verifiedAt: timestampFromDate(new Date(checkedAt)) };
}

function toUserAgent({
  fingerprintId,
  userAgent,
}: SessionRecord["session"]): MessageInitShape<typeof SessionSchema>["userAgent"] {
  const { ip, description, header } = userAgent ?? {};
  if (fingerprintId === null && ip === undefined && description === undefined && header === undefined) {
    return undefined;
  }
  return {
    fingerprintId: fingerprintId ?? undefined,
    ip,
    description,
    header: Object.fromEntries(Object.entries(header ?? {}).map(([name, values]) => [name, { values }])),
  };
}

function fromUserAgent({ fingerprintId, ip, description, header }: UserAgent): UserAgentInput {
  return {
    ...(fingerprintId === undefined ? {} : { fingerprintId }),
    ...(ip === undefined ? {} : { ip }),
    ...(description === undefined ? {} : { description }),
    header: Object.fromEntries(Object.entries(header).map(([name, { values }]) => [name, values])),
  };
}

function fromChanges(request: {
  checks?: ChecksMessage;
  metadata: Record<string, Uint8Array>;
  challenges?: RequestChallenges;
  lifetime?: Duration;
}): SessionChanges {
  const { checks, metadata, challenges, lifetime } = request;
  return {
    checks: fromChecks(checks),
    metadata,
    ...(lifetime ? { lifetimeMs: toMilliseconds(lifetime) } : {}),
    challenges: fromChallenges(challenges),
  };
}

function fromChecks(checks: ChecksMessage | undefined): Checks {
  const { user, password, idpIntent, webAuthN, totp, otpSms, otpEmail, recoveryCode } = checks ?? {};
  const search = user?.search;
  return {
    ...(search?.case === "userId" ? { user: { userId: search.value } } : {}),
    ...(search?.case === "loginName" ? { user: { loginName: search.value } } : {}),
    ...(password ? { password: password.password } : {}),
    ...(idpIntent ? { idpIntent: { id: idpIntent.idpIntentId, token: idpIntent.idpIntentToken } } : {}),
    ...(webAuthN ? { webAuthN: webAuthN.credentialAssertionData } : {}),
    ...(totp ? { totp: totp.code } : {}),
    ...(otpSms ? { otpSms: otpSms.code } : {}),
    ...(otpEmail ? { otpEmail: otpEmail.code } : {}),
    ...(recoveryCode ? { recoveryCode: recoveryCode.code } : {}),
  };
}

function fromChallenges(challenges: RequestChallenges | undefined): ChallengeRequests {
  const { webAuthN, otpSms, otpEmail } = challenges ?? {};
  const delivery = otpEmail?.deliveryType;
  return {
    ...(webAuthN
      ? {
          webAuthN: {
            domain: webAuthN.domain,
            userVerification: userVerifications[webAuthN.userVerificationRequirement],
          },
        }
      : {}),
    ...(otpSms ? { otpSms } : {}),
    ...(otpEmail
      ? {
          otpEmail: {
            returnCode: delivery?.case === "returnCode",
            urlTemplate: delivery?.case === "sendCode" ? delivery.value.urlTemplate : undefined,
          },
        }
      : {}),
  };
}

/** Validation refuses the first before it gets here. */
const userVerifications: { [requirement in UserVerificationRequirement]: UserVerification } = {
  [UserVerificationRequirement.UNSPECIFIED]: "required",
  [UserVerificationRequirement.REQUIRED]: "required",
  [UserVerificationRequirement.PREFERRED]: "preferred",
  [UserVerificationRequirement.DISCOURAGED]: "discouraged",
};

/** An empty list of challenges asked for is an empty list of challenges made (spec session-api §5.1, 12). */
export function toChallenges(
  { challenges }: { challenges?: RequestChallenges },
  { webAuthN, ...codes }: ChallengeAnswers,
): MessageInitShape<typeof ChallengesSchema> | undefined {
  if (challenges === undefined) return undefined;
  const options = webAuthN as JsonObject | undefined;
  return options ? { ...codes, webAuthN: { publicKeyCredentialRequestOptions: options } } : codes;
}

/** With the fraction: `durationMs` would round a nanosecond to nothing. */
function toMilliseconds({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1_000 + nanos / 1e6;
}

function fromSearchQuery({ query }: SearchQuery): SessionCriterion {
  switch (query.case) {
    case "idsQuery":
      return { by: "ids", ids: query.value.ids };
    case "userIdQuery":
      return { by: "userId", id: query.value.id };
    case "creationDateQuery": {
      const { creationDate, method } = query.value;
      return { by: "createdAt", comparison: fromMethod(method), at: dateOrEpoch(creationDate) };
    }
    case "creatorQuery":
      return { by: "creatorId", id: query.value.id };
    case "userAgentQuery":
      return { by: "fingerprintId", id: query.value.fingerprintId };
    case "expirationDateQuery": {
      const { expirationDate, method } = query.value;
      return { by: "expiresAt", comparison: fromMethod(method), at: dateOrEpoch(expirationDate) };
    }
    default:
      throw new DomainError("session.query_empty");
  }
}

function dateOrEpoch(timestamp: Timestamp | undefined): Date {
  return timestamp ? timestampDate(timestamp) : new Date(0);
}

const comparisons: { [method in TimestampQueryMethod]: Comparison } = {
  [TimestampQueryMethod.EQUALS]: "=",
  [TimestampQueryMethod.GREATER]: ">",
  [TimestampQueryMethod.GREATER_OR_EQUALS]: ">=",
  [TimestampQueryMethod.LESS]: "<",
  [TimestampQueryMethod.LESS_OR_EQUALS]: "<=",
};

function fromMethod(method: TimestampQueryMethod): Comparison {
  const comparison = comparisons[method];
  if (!comparison) throw new DomainError("session.query_method_invalid");
  return comparison;
}
