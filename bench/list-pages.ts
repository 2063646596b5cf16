import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type SearchSessionsRequestSchema,
  SessionControlService,
  TotalMode,
} from "../src/gen/gatehouse/session/v1/session_control_service_pb.js";
import {
  Factor,
  type SessionFilterSchema,
  SessionStatus,
} from "../src/gen/gatehouse/session/v1/session_pb.js";
import type { SearchQuerySchema } from "../src/gen/zitadel/session/v2/session_pb.js";
import { SessionService } from "../src/gen/zitadel/session/v2/session_service_pb.js";
import { type Api, encodeApiCall } from "./api.ts";
import { expectEqual } from "./claims.ts";
import type { ListDatabase } from "./list-database.ts";
import type { Pair } from "./paired-calls.ts";
import { GOLD } from "./session-seed.ts";

/** A kind of page, and some of that kind. */
export type ListedPage = {
  what: string;
  /** An exact total comes with it: kept if it is of everything, else counted. */
  isCounted: boolean;
  /** Each beside its floor: the same sessions by their ids. */
  pairs: Pair[];
  /** Sessions on each page. */
  rows: number[];
};

type Filter = MessageInitShape<typeof SessionFilterSchema>;
type Search = MessageInitShape<typeof SearchSessionsRequestSchema>;
type Query = NonNullable<MessageInitShape<typeof SearchQuerySchema>["query"]>;

const { searchSessions } = SessionControlService.method;
const { listSessions } = SessionService.method;
const LIMIT = 100;

/**
 * The pages that are measured, each read once to know its sessions.
 * @param cursors of pages in the middle of all sessions
 * @param inView how many sessions of the busy user, and how many at all, are listed
 * @throws Error if one is empty, differs from its sessions by their ids, or has a wrong total
 */
export async function listPages(
  api: Api,
  { bearer, ...known }: ListDatabase & { bearer: string },
  cursors: readonly string[],
  inView: { busyUser: number; all: number },
): Promise<ListedPage[]> {
  const search = async (what: string, searches: readonly Search[], as = bearer): Promise<ListedPage> => {
    const page: ListedPage = { what: `SearchSessions ${what}`, isCounted: false, pairs: [], rows: [] };
    for (const each of searches) {
      const message = { limit: LIMIT, ...each };
      const { sessions, total } = await api.call(searchSessions, message, as);
      if (total !== undefined) {
        page.isCounted = true;
        expectEqual(`the total of ${page.what}`, Number(total), inView.all);
      }
      const ids = sessions.map(({ session }) => session!.id);
      page.pairs.push({
        measured: encodeApiCall(searchSessions, message, as),
        limit: await floorOf(page.what, ids, as, each.filter?.statuses),
      });
      page.rows.push(ids.length);
    }
    return page;
  };
  const list = async (
    what: string,
    lists: readonly { query?: Query; total: number }[],
  ): Promise<ListedPage> => {
    const page: ListedPage = { what: `ListSessions ${what}`, isCounted: true, pairs: [], rows: [] };
    for (const { query, total } of lists) {
      const message = { query: { limit: LIMIT }, queries: query ? [{ query }] : [] };
      const { sessions, details } = await api.call(listSessions, message, bearer);
      expectEqual(`the total of ${page.what}`, Number(details!.totalResult), total);
      const ids = sessions.map(({ id }) => id);
      page.pairs.push({
        measured: encodeApiCall(listSessions, message, bearer),
        limit: await floorOf(page.what, ids, bearer),
      });
      page.rows.push(ids.length);
    }
    return page;
  };
  const floorOf = async (what: string, sessionIds: string[], as: string, statuses?: SessionStatus[]) => {
    if (sessionIds.length === 0) throw new Error(`${what} found nothing`);
    const floor = { filter: { sessionIds, statuses: statuses ?? [] }, limit: LIMIT };
    const { sessions } = await api.call(searchSessions, floor, as);
    const shared = sessions.filter(({ session }) => sessionIds.includes(session!.id));
    expectEqual(`sessions of ${what} that are read by their ids`, shared.length, sessionIds.length);
    return encodeApiCall(searchSessions, floor, as);
  };

  const each = <T>(values: readonly T[], filter: (value: T) => Filter): Search[] =>
    values.map((value) => ({ filter: filter(value) }));
  const { busyUserId, userIds, organizationIds, creatorIds, fingerprintIds, addresses, ordinary, owner } =
    known;
  const gold = {
    metadata: Object.fromEntries(
      Object.entries(GOLD).map(([key, value]) => [key, Buffer.from(value, "base64")]),
    ),
    factorsPresent: [Factor.PASSWORD],
  };
  const everyStatus = [SessionStatus.ACTIVE, SessionStatus.EXPIRED, SessionStatus.ENDED];
  const someIds = await Promise.all(
    userIds.map(async (userId) => {
      const { sessions } = await api.call(searchSessions, { filter: { userIds: [userId] } }, bearer);
      return sessions.map(({ session }) => session!.id);
    }),
  );
  return [
    await search("of all, first page", [{}]),
    await search(
      "of all, a page in the middle",
      cursors.map((cursor) => ({ cursor })),
    ),
    await search(
      "by user",
      each(userIds, (id) => ({ userIds: [id] })),
    ),
    await search(
      "by user, one with a hundredth of all",
      each([busyUserId], (id) => ({ userIds: [id] })),
    ),
    await search(
      "by creator",
      each(creatorIds, (id) => ({ creatorIds: [id] })),
    ),
    await search(
      "by fingerprint",
      each(fingerprintIds, (id) => ({ fingerprintIds: [id] })),
    ),
    await search(
      "by address",
      each(addresses, (address) => ({ addresses: [address] })),
    ),
    await search(
      "by organization",
      each(organizationIds, (id) => ({ organizationIds: [id] })),
    ),
    await search(
      "by user, ended ones too",
      each(userIds, (id) => ({ userIds: [id], statuses: everyStatus })),
    ),
    await search(
      "by fingerprint, metadata and a factor",
      each(fingerprintIds, (id) => ({ fingerprintIds: [id], ...gold })),
    ),
    await search(
      "by user, one with a hundredth of all, metadata and a factor",
      each([busyUserId], (id) => ({ userIds: [id], ...gold })),
    ),
    await search("of all, as somebody who sees only their own", [{}], ordinary),
    await search("of all, as an organization's owner", [{}], owner),
    await search("of all, first page, with the exact total", [{ total: TotalMode.EXACT }]),
    await list(
      "by ids",
      someIds.map((ids) => ({
        query: { case: "idsQuery", value: { ids } },
        total: ids.length,
      })),
    ),
    await list("by user, one with a hundredth of all", [
      { query: { case: "userIdQuery", value: { id: busyUserId } }, total: inView.busyUser },
    ]),
    await list("of all, first page", [{ total: inView.all }]),
  ];
}
