import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { appliedLimit } from "../storage/page.ts";
import type { SessionFilter } from "../storage/session-filter.ts";
import type { SessionRecord } from "../storage/session-repository.ts";
import type { SessionHit, SessionSort } from "../storage/session-search.ts";
import type { SessionDependencies } from "./dependencies.ts";
import { type Ended, endingOf } from "./ending/overdue.ts";
import { readCursor, writeCursor } from "./search-cursor.ts";
import { type Standing, standing } from "./session.ts";
import { checkFilter, isNarrow } from "./session-filter.ts";
import { visibilityOf } from "./session-queries.ts";

export type SearchSessions = {
  filter: SessionFilter;
  sort: SessionSort;
  ascending: boolean;
  /** 0: the default of 100. */
  limit: number;
  /** Where the page before ended; empty: from the beginning. */
  cursor: string;
  total: "none" | "capped" | "exact";
};

/** A session as it is or was, an ended one too. */
export type KnownSession = {
  record: SessionRecord;
  standing: Standing;
  /** Undefined: it has not ended. */
  ended: Ended | undefined;
};

export type FoundSessions = {
  sessions: KnownSession[];
  /** Empty: this was the last page. */
  nextCursor: string;
  /** Undefined: nothing was counted. */
  total: number | undefined;
  isTotalCapped: boolean;
  /** The database's clock at the read. */
  now: Date;
};

const TOTAL_CAP = 10_000;

/**
 * Finds sessions among those the caller may read, ended ones too if the filter's statuses say so. What a session is and
 * why it ended is said as of the read, whether or not that is written down yet, and stays what it is when that comes.
 *
 * Pages in the order of creation meet: each session that was there at the first page is on one of them. In other orders
 * a session that changes between two pages may be on both or on neither.
 * @throws DomainError `session.cursor_invalid`, `session.sort_not_narrow`, `list.limit_exceeded`, and what
 *   {@link checkFilter} refuses
 */
export async function searchSessions(
  { sessions }: Pick<SessionDependencies, "sessions">,
  caller: Caller,
  search: SearchSessions,
): Promise<FoundSessions> {
  const { filter, sort, ascending, cursor, total } = search;
  checkFilter(filter);
  if (sort !== "creation" && !isNarrow(filter)) throw new DomainError("session.sort_not_narrow");
  const page = await sessions.search({
    filter,
    visibility: visibilityOf(caller),
    sort,
    ascending,
    after: cursor === "" ? undefined : readCursor(search, cursor),
    limit: appliedLimit(search.limit),
    total: total === "capped" ? TOTAL_CAP : total,
  });
  return {
    sessions: page.hits.map(known),
    nextCursor: page.next ? writeCursor(search, page.next) : "",
    total: page.total,
    isTotalCapped: page.isTotalCapped,
    now: page.now,
  };
}

export function known({ record, act }: SessionHit): KnownSession {
  return { record, standing: standing(record), ended: endingOf(record, act) };
}
