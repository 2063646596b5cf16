import { create } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { describe, expect, it } from "vitest";
import {
  CreateSessionRequestSchema,
  ListSessionsRequestSchema,
} from "../../src/gen/zitadel/session/v2/session_service_pb.js";
import { unstorable } from "../../src/transport/interceptors/unstorable.ts";

const NUL = "a\0b";
const HALF = "a\ud800b";

describe("what no database can hold", () => {
  it.each([
    [{ checks: { user: { search: { case: "loginName", value: NUL } } } }, "checks.user.login_name"],
    [{ checks: { password: { password: HALF } } }, "checks.password.password"],
    [{ userAgent: { description: NUL } }, "user_agent.description"],
    [
      { userAgent: { header: { accept: { values: ["fine", HALF] } } } },
      'user_agent.header["accept"].values[1]',
    ],
    [{ userAgent: { header: { [NUL]: { values: [] } } } }, "user_agent.header"],
    [{ metadata: { [HALF]: new Uint8Array() } }, "metadata"],
  ] as const)("is found in %j", (message, path) => {
    const found = unstorable(
      CreateSessionRequestSchema,
      create(CreateSessionRequestSchema, message as never),
    );
    expect(pathToString(found!)).toBe(path);
  });

  it("is found in a list's elements", () => {
    const message = create(ListSessionsRequestSchema, {
      queries: [
        { query: { case: "idsQuery", value: { ids: ["x"] } } },
        { query: { case: "userIdQuery", value: { id: NUL } } },
      ],
    });
    expect(pathToString(unstorable(ListSessionsRequestSchema, message)!)).toBe("queries[1].user_id_query.id");
  });

  it.each([-62_135_596_801n, 253_402_300_800n, 2n ** 62n])("is a timestamp of %s seconds", (seconds) => {
    const value = { creationDate: { seconds, nanos: 0 } };
    const message = create(ListSessionsRequestSchema, {
      queries: [{ query: { case: "creationDateQuery", value } }],
    });
    expect(pathToString(unstorable(ListSessionsRequestSchema, message)!)).toBe(
      "queries[0].creation_date_query.creation_date",
    );
  });

  it.each([-62_135_596_800n, 0n, 253_402_300_799n])("is no timestamp of %s seconds", (seconds) => {
    const value = { creationDate: { seconds, nanos: 0 } };
    const message = create(ListSessionsRequestSchema, {
      queries: [{ query: { case: "creationDateQuery", value } }],
    });
    expect(unstorable(ListSessionsRequestSchema, message)).toBeUndefined();
  });

  it("is not found in any other text, nor in bytes", () => {
    const message = create(CreateSessionRequestSchema, {
      checks: { user: { search: { case: "userId", value: "zoë 👩‍👩‍👧 \u0001" } } },
      metadata: { key: new Uint8Array([0, 0xd8, 0x00]) },
    });
    expect(unstorable(CreateSessionRequestSchema, message)).toBeUndefined();
  });
});
