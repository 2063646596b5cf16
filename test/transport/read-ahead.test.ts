import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import type { Caller } from "../../src/auth/caller.ts";
import { DomainError } from "../../src/errors.ts";
import { SessionService } from "../../src/gen/zitadel/session/v2/session_service_pb.js";
import type { SessionRecord } from "../../src/storage/session-repository.ts";
import { interceptorChain } from "../../src/transport/interceptors/chain.ts";
import { type FindSession, sessionAhead } from "../../src/transport/interceptors/read-ahead.ts";
import { deferred, startServer } from "./server.ts";

const caller: Caller = { userId: "1", organizationId: "2", contextOrganizationId: "2", memberships: [] };
const ada = { session: { id: "ada" } } as SessionRecord;

/** A server that tells, for each session it is asked for and each call, what happened in which order. */
async function stage(options: { known?: () => Promise<Caller>; find?: FindSession } = {}) {
  const order: string[] = [];
  const { known = async () => caller, find = async () => ada } = options;
  const answer = async (request: { sessionId: string }, context: Parameters<typeof sessionAhead>[0]) => {
    order.push(`called with ${(await sessionAhead(context, request))?.session.id}`);
    return {};
  };
  const server = await startServer({
    session: { getSession: answer, deleteSession: answer, setSession: answer },
    interceptors: (logger) =>
      interceptorChain(
        logger,
        {
          callerOf: async () => {
            order.push("who");
            return known();
          },
          organizationExists: async () => true,
        },
        (id) => {
          order.push(`find ${id}`);
          return find(id);
        },
      ),
  });
  const authorization = (next: (request: never) => unknown) => (request: { header: Headers }) => {
    request.header.set("authorization", "Bearer x");
    return next(request as never);
  };
  const transport = (...interceptors: unknown[]) =>
    createConnectTransport({
      baseUrl: server.url,
      httpVersion: "1.1",
      interceptors: interceptors as never,
    });
  return {
    order,
    client: createClient(SessionService, transport(authorization)),
    stranger: createClient(SessionService, transport()),
  };
}

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "accepted",
    (error: unknown) => ConnectError.from(error).code,
  );

test("the session is asked for beside the caller, and both are there when the call begins", async () => {
  const known = deferred<Caller>();
  const { client, order } = await stage({
    known: () => known.promise,
    find: async () => {
      // Were the caller waited for first, neither would ever come.
      known.resolve(caller);
      return ada;
    },
  });
  await client.getSession({ sessionId: "ada" });
  expect(order).toEqual(["find ada", "who", "called with ada"]);
  order.length = 0;
  await client.deleteSession({ sessionId: "ada" });
  expect(order).toEqual(["find ada", "who", "called with ada"]);
});

test("nothing is asked for on behalf of one without a credential", async () => {
  const { stranger, order } = await stage();
  expect(await codeOf(stranger.getSession({ sessionId: "ada" }))).toBe(Code.Unauthenticated);
  expect(order).toEqual([]);
});

test.each(["", "x".repeat(201), "a\0b", "ada b", "\ud800", "ädä"])(
  "an id unlike ours is not asked for before the contract has its say: %j",
  async (sessionId) => {
    const { client, order } = await stage();
    await codeOf(client.getSession({ sessionId }));
    expect(order[0]).toBe("who");
  },
);

test("other methods read for themselves", async () => {
  const { client, order } = await stage();
  await client.setSession({ sessionId: "ada" });
  expect(order).toEqual(["who", "called with undefined"]);
});

test("what was read before its own token used the session is not looked at", async () => {
  const { client, order } = await stage({ known: async () => ({ ...caller, sessionId: "ada" }) });
  await client.getSession({ sessionId: "ada" });
  await client.getSession({ sessionId: "bea" });
  expect(order.filter((step) => step.startsWith("called"))).toEqual([
    "called with undefined",
    "called with ada",
  ]);
});

test("who is refused learns nothing of the session, not even that it could not be read", async () => {
  const known = () => Promise.reject(new DomainError("auth.token_invalid"));
  const { client, order } = await stage({
    known,
    find: () => Promise.reject(new DomainError("storage.unavailable")),
  });
  expect(await codeOf(client.deleteSession({ sessionId: "ada" }))).toBe(Code.Unauthenticated);
  expect(order).toEqual(["find ada", "who"]);
});

test("who is not refused learns that the session could not be read", async () => {
  const { client } = await stage({ find: () => Promise.reject(new DomainError("storage.unavailable")) });
  expect(await codeOf(client.deleteSession({ sessionId: "ada" }))).toBe(Code.Unavailable);
});
