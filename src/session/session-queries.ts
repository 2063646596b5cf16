import { type Caller, permittedScopes } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { appliedLimit } from "../storage/page.ts";
import type { SessionRecord } from "../storage/session-repository.ts";
import type { ListCriterion, SessionPage } from "../storage/session-search.ts";
import type { Visibility } from "../storage/session-visibility-sql.ts";
import type { SessionDependencies } from "./dependencies.ts";
import { mayRead } from "./permissions.ts";
import { standing } from "./session.ts";
import { isCurrent } from "./session-token.ts";

export type GetSession = { sessionId: string; token?: string };

/**
 * Reads one session: with its current token, which uses it, or as its creator, its user, or by `session.read`. Expired
 * sessions are read like others.
 * @throws DomainError `session.read_token_invalid` (a token was given; permissions do not help then),
 *   `auth.permission_denied`, `session.not_found` for callers who may know: they could read it if it were there, or
 *   hold a token that was once its own
 * @param ahead the session, if somebody has asked for it since the query came in
 */
export async function getSession(
  dependencies: Pick<SessionDependencies, "sessions" | "tokens" | "uses">,
  caller: Caller,
  command: GetSession,
  ahead?: Promise<SessionRecord | undefined>,
): Promise<SessionRecord> {
  const { sessions, tokens, uses } = dependencies;
  const { sessionId, token } = command;
  const record = await (ahead ?? sessions.find(sessionId));
  const readable = record !== undefined && standing(record) !== "ended";
  if (token) {
    const genuine = tokens.read(token);
    if (readable && genuine && isCurrent(genuine, record.session)) {
      const used = await uses.note(record, caller.userId);
      const isSame = used === record || (isCurrent(genuine, used.session) && standing(used) !== "ended");
      // Changed by somebody else meanwhile: the token may be no reason any more to show what the session has become.
      return isSame ? used : getSession(dependencies, caller, command);
    }
    const mayKnow = genuine?.sessionId === sessionId || mayRead(caller, undefined);
    throw new DomainError(!readable && mayKnow ? "session.not_found" : "session.read_token_invalid");
  }
  if (!mayRead(caller, record?.session)) throw new DomainError("auth.permission_denied");
  if (!readable) throw new DomainError("session.not_found");
  return record;
}

/** A list condition as clients state it: without an id, creator and user agent mean the caller's own. */
export type SessionCriterion =
  | Exclude<ListCriterion, { by: "creatorId" | "fingerprintId" }>
  | { by: "creatorId"; id: string | undefined }
  | { by: "fingerprintId"; id: string | undefined };

export type ListSessions = {
  criteria: readonly SessionCriterion[];
  offset: number;
  /** 0: the default of 100. */
  limit: number;
  ascending: boolean;
};

/**
 * Lists the sessions the caller may read, ended ones excluded. What the caller may not see is neither listed nor
 * counted.
 * @throws DomainError `session.creator_query_invalid`, `session.user_agent_query_invalid`, `list.limit_exceeded`
 */
export function listSessions(
  { sessions }: Pick<SessionDependencies, "sessions">,
  caller: Caller,
  { criteria, offset, limit, ascending }: ListSessions,
): Promise<SessionPage> {
  return sessions.search({
    filter: {},
    criteria: criteria.map((criterion) => resolved(criterion, caller)),
    visibility: visibilityOf(caller),
    sort: "creation",
    ascending,
    offset,
    limit: appliedLimit(limit),
    total: "exact",
  });
}

function resolved(criterion: SessionCriterion, caller: Caller): ListCriterion {
  if (criterion.by === "creatorId") {
    const id = criterion.id ?? caller.userId;
    if (id === "") throw new DomainError("session.creator_query_invalid");
    return { by: "creatorId", id };
  }
  if (criterion.by === "fingerprintId") {
    const id = criterion.id ?? caller.agentId;
    if (!id) throw new DomainError("session.user_agent_query_invalid");
    return { by: "fingerprintId", id };
  }
  return criterion;
}

/** What a caller may read, see `mayRead`, for queries that look for it in the database. */
export function visibilityOf(caller: Caller): Visibility {
  const scopes = permittedScopes(caller, "session.read");
  if (scopes === "everywhere") return "everything";
  return { userId: caller.userId, agentId: caller.agentId, organizationIds: scopes };
}
