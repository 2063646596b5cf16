import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type SearchQuery, SearchQuerySchema, Type } from "../../src/gen/zitadel/user/v2/query_pb.js";
import { UserState } from "../../src/gen/zitadel/user/v2/user_pb.js";
import {
  AddHumanUserRequestSchema,
  AddPersonalAccessTokenRequestSchema,
  ListUsersRequestSchema,
} from "../../src/gen/zitadel/user/v2/user_service_pb.js";
import { fromAddPersonalAccessToken } from "../../src/transport/user-machine-mapping.ts";
import { fromHuman, toUser } from "../../src/transport/user-mapping.ts";
import { fromListUsers } from "../../src/transport/user-query-mapping.ts";
import { givenUser } from "../support/given.ts";

const slug = (name: string) => expect.objectContaining({ slug: name });

describe("the expiration of a token", () => {
  const expiresAt = (seconds: bigint) =>
    fromAddPersonalAccessToken(
      create(AddPersonalAccessTokenRequestSchema, { userId: "bot", expirationDate: { seconds, nanos: 0 } }),
    ).expiresAt;

  it.each([
    ["a zero timestamp", 0n],
    ["Go's zero time", -62_135_596_800n],
    ["the end of the year 9999", 253_402_300_799n],
  ])("is never for %s", (_, seconds) => {
    expect(expiresAt(seconds)).toBeUndefined();
  });

  it("is a date however far off, and one in the past for the smallest second", () => {
    expect(expiresAt(1_800_000_000n)).toEqual(new Date(1_800_000_000_000));
    expect(expiresAt(253_402_300_798n)).toEqual(new Date("9999-12-31T23:59:58Z"));
    expect(expiresAt(1n)).toEqual(new Date(1_000));
  });
});

describe("a person in a request", () => {
  it("is read with its accounts at identity providers and its authenticator app", () => {
    const request = create(AddHumanUserRequestSchema, {
      profile: { givenName: "Mia", familyName: "Example" },
      email: { email: "mia@example.com", verification: { case: "isVerified", value: false } },
      idpLinks: [{ idpId: "i", userId: "u", userName: "n" }],
      totpSecret: "JBSWY3DP",
    });
    expect(fromHuman(request)).toMatchObject({
      email: { text: "mia@example.com", verification: "none" },
      idpLinks: [{ idpId: "i", externalUserId: "u", displayName: "n" }],
      totpSecret: "JBSWY3DP",
    });
  });
});

describe("queries for users", () => {
  const conditions = (...queries: SearchQuery["query"][]) =>
    fromListUsers(
      create(ListUsersRequestSchema, {
        queries: queries.map((query) => create(SearchQuerySchema, { query })),
      }),
    ).conditions;
  const empty = { by: "or", conditions: [] };

  it("find nobody in a state or of a type that nobody has", () => {
    const none = [UserState.UNSPECIFIED, UserState.DELETED, UserState.INITIAL].map((state) => ({
      case: "stateQuery",
      value: { state },
    }));
    expect(conditions(...(none as SearchQuery["query"][]))).toEqual([empty, empty, empty]);
    const unspecified = { case: "typeQuery", value: { type: Type.UNSPECIFIED } };
    expect(conditions(unspecified as SearchQuery["query"])).toEqual([empty]);
  });

  it.each([
    { case: "andQuery", value: { queries: [] } },
    { case: "orQuery", value: { queries: [] } },
    { case: "notQuery", value: {} },
    { case: undefined },
  ])("are refused without a condition: %j", (query) => {
    expect(() => conditions(query as SearchQuery["query"])).toThrow(slug("user.query_empty"));
  });
});

describe("a user in an answer", () => {
  it("has its one login name, its phone only if there is one, and never its password", () => {
    const user = toUser(givenUser());
    expect(user).toMatchObject({
      userId: "mia",
      state: UserState.ACTIVE,
      loginNames: ["mia@acme.localhost"],
      preferredLoginName: "mia@acme.localhost",
      type: { case: "human", value: { phone: undefined, email: { isVerified: false } } },
    });
    expect(
      JSON.stringify(user, (_, value) => (typeof value === "bigint" ? `${value}` : value)),
    ).not.toContain("hash-1");
  });
});
